"""An empty store in either database."""

from __future__ import annotations

from pathlib import Path

import pytest

from vecaf.settings import Settings
from vecaf.store import Store


@pytest.fixture
def empty(tmp_path: Path, database: str) -> Store:
    where = {"VECAF_HOME": str(tmp_path), "DATABASE_URL": database}
    return Store.open(Settings.from_environment(where))
