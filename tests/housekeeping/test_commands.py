"""The commands for a home print one JSON object, or sentences."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.finished import new_studio
from vecaf.commands.cli import app


def test_backup_restore_and_gc_speak_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_studio(tmp_path / "home", count=6).close()
    monkeypatch.setenv("VECAF_HOME", str(tmp_path / "home"))

    def asked(*words: object) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
        assert done.exit_code == 0
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    saved = asked("backup", tmp_path / "b.tar")
    assert (saved["datasets"], saved["missing"], saved["bytes"]) == (
        1, 0, (tmp_path / "b.tar").stat().st_size,
    )  # fmt: skip
    restored = asked("restore", tmp_path / "b.tar", "--home", tmp_path / "new")
    assert restored["files"] == saved["files"]
    nothing = {"bytes": 0, "kinds": [], "removed": [], "trash": "", "freed": 0}
    assert asked("gc", "--dry-run") == {"dry_run": True} | nothing
    stray = tmp_path / "home" / "images" / "ab" / f"{'ab' * 32}.png"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x" * 10)
    os.utime(stray, (0, 0))
    removed = asked("gc")
    assert (tmp_path / "home" / removed["trash"] / "images" / "ab" / stray.name).is_file()
    assert asked("gc")["freed"] == 0
    assert asked("gc", "--purge")["freed"] == 10
    text = CliRunner().invoke(app, ["gc"], catch_exceptions=False).stdout
    assert text == "No unused files.\n"
