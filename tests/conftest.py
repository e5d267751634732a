"""What tests of whole rounds share: a home of their own and drawn shapes."""

from __future__ import annotations

import pytest

from tests.shapes import make_samples
from vecaf.datasets.pool import Samples
from vecaf.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("shapes"))
