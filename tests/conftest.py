"""Shared fixtures: the two databases, settings with a temporary home, and samples of shapes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.databases import Server, address, copied_schema, server
from tests.examples import THOROUGH
from tests.homes import VARIABLE, new_home
from tests.shapes import make_samples
from vecaf.datasets.pool import Samples
from vecaf.garbage_collection import collect_rarely
from vecaf.settings import Settings

collect_rarely()

# No prepared processes and no background tasks in servers and workers that a test starts.
os.environ.setdefault("VECAF_STANDBY_MINUTES", "0")
os.environ.setdefault("VECAF_EMBED_ON_IMPORT", "0")
TESTS = Path(__file__).parent
# The slowest files start first, so that no worker is still busy with one at the end.
FIRST = (
    "browser/test_pages.py", "browser/test_whole_path.py", "engine/test_contract.py",
    "browser/test_compare.py", "browser/test_shift.py", "app/test_api.py", "app/test_two_users.py",
    "browser/", "engine/", "runs/", "benchmarking/", "commands/", "tasks/", "test_", "",
)  # fmt: skip

hypothesis.settings.register_profile("quick", max_examples=34, deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None)
hypothesis.settings.load_profile("thorough" if THOROUGH else "quick")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the workers of pytest-xdist inherit it
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="converted-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(VARIABLE))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("random_examples")

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).as_posix()
        return next(i for i, start in enumerate(FIRST) if path.startswith(start))

    items.sort(key=place)  # a stable sort keeps the order within each group


@pytest.fixture(scope="session", autouse=True)
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with copied_schema(tmp_path_factory.mktemp("schema")):
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with server() as found:
        yield found


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Return the DATABASE_URL of a test: "" (SQLite) unless `both_databases` marks the test."""
    return address(request)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = new_home(tmp_path_factory.mktemp("home"))
    return Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("shapes"))
