"""What tests share: the two databases; for whole rounds a home of their own and drawn shapes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Server, address, server
from tests.shapes import make_samples
from vecaf.datasets.pool import Samples
from vecaf.settings import Settings

os.environ.setdefault("VECAF_STANDBY_MINUTES", "0")  # servers that a test starts load nothing ahead
TESTS = Path(__file__).parent
# What takes longest begins first, so that no worker is left alone with it at the end.
FIRST = ("browser/test_story.py", "browser/", "test_", "jobs/", "benchmarking/", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).as_posix()
        return next(i for i, start in enumerate(FIRST) if path.startswith(start))

    items.sort(key=place)  # a stable sort: within each, the order stays


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
