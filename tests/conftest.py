"""What tests share: the two databases; for whole rounds a home of their own and drawn shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Server, address, server
from tests.shapes import make_samples
from vecaf.datasets.pool import Samples
from vecaf.settings import Settings


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with server() as found:
        yield found


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The DATABASE_URL of a test: empty, which means SQLite, unless `both_databases` marks it."""
    return address(request)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("shapes"))
