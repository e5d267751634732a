"""The output of commands is valid JSON in every encoding."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from vecaf.commands.cli import main
from vecaf.commands.output import print_result
from vecaf.engine.child import is_database_unavailable
from vecaf.store import Store


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_json_is_valid_in_any_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, "backslashreplace"))
    print_result({"name": "größe 😀"}, "", as_json=True)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == {"name": "größe 😀"}


def test_a_locked_database_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("database is locked"))

    monkeypatch.setenv("VECAF_HOME", str(tmp_path))
    monkeypatch.setattr(Store, "open", locked)
    monkeypatch.setattr(sys, "argv", ["vecaf", "runs", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = "Can't use the database (database is locked). Try again in a moment."
    assert json.loads(capsys.readouterr().out) == {"error": told}


def test_a_locked_database_is_temporary() -> None:
    for words, passes in (("database is locked", True), ("no such table: run", False)):
        assert is_database_unavailable(sa.exc.OperationalError("", {}, Exception(words))) is passes
