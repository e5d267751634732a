"""The commands `user` and `share`, and the option --as."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from vecaf.accounts.passwords import verify_password
from vecaf.accounts.users import user_named
from vecaf.commands import app
from vecaf.commands.application import USER_VARIABLE
from vecaf.errors import InputError, NotAllowedError, NotFoundError
from vecaf.settings import Settings
from vecaf.store import Dataset, Store

PASSWORD = "a password of many words"


@pytest.fixture
def vecaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return a function that runs a command in this process and returns what it prints."""
    monkeypatch.setenv("VECAF_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "")

    def run(*arguments: str, given: str = "", user: str = "") -> str:
        monkeypatch.setenv(USER_VARIABLE, user)
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        capsys.readouterr()
        app(list(arguments), standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_accounts_from_the_shell(tmp_path: Path, vecaf: Callable[..., str]) -> None:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path)}))
    with store.write() as session:
        session.add(Dataset(owner_id=store.owner(), name="pets", classes=[], content_hash="",
                            source="", report={}))  # fmt: skip
    for name in ("Ada", "Zoe"):
        kept = ["--with-local"] if name == "Ada" else []
        said = vecaf("user", "add", name, "--password-stdin", *kept, given=f"{PASSWORD}\r\n")
        assert f"Added {name}." in said
    with store.read() as session:
        assert verify_password(user_named(session, "Ada").password_hash, PASSWORD)
    with pytest.raises(InputError, match="Pass --password-stdin"):
        vecaf("user", "password", "Zoe")
    listed = json.loads(vecaf("user", "list", "--json"))["users"]
    assert [(user["name"], user["datasets"], user["can_log_in"]) for user in listed] == [
        ("Ada", 1, True), ("Zoe", 0, True), ("local owner", 0, False),
    ]  # fmt: skip
    assert "pets" not in vecaf("datasets")  # lists those of the local owner, who has none now
    assert "pets" in vecaf("--as", "Ada", "datasets")
    assert "pets" in vecaf("datasets", user="Ada")
    with pytest.raises(NotFoundError, match="no user called 'Eve'"):
        vecaf("--as", "Eve", "datasets")
    assert "shared with Zoe" in vecaf("--as", "Ada", "share", "pets", "Zoe")
    assert "pets" in vecaf("--as", "Zoe", "datasets")
    with pytest.raises(NotAllowedError, match="only Ada can"):
        vecaf("--as", "Zoe", "delete", "pets", "--yes")
    vecaf("--as", "Ada", "share", "pets", "Zoe", "--remove")
    assert "pets" not in vecaf("--as", "Zoe", "datasets")
    with pytest.raises(InputError, match="--give-to USER"):
        vecaf("user", "remove", "Ada")
    vecaf("user", "remove", "Ada", "--give-to", "Zoe")
    assert "pets" in vecaf("--as", "Zoe", "datasets")
    vecaf("user", "remove", "Zoe", "--delete")
    with store.read() as session:
        assert session.get(Dataset, 1) is None
    store.close()
