"""doctor reports a broken installation. test_cli.py tests it on a working one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vecaf.housekeeping.doctor import run_checks
from vecaf.settings import Settings


def test_a_missing_package_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("vecaf.encoders", "vecaf.encoders.runtime", "vecaf.encoders.vlm"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises ModuleNotFoundError
    settings = Settings.from_environment({"VECAF_HOME": str(tmp_path)})
    found = {one.subject: one for one in run_checks(settings)}
    assert found["database"].ok
    for subject in ("device", "model", "text"):
        assert not found[subject].ok
        assert found[subject].finding.endswith(". Run: pip install -r requirements.txt")
