"""Live components send only what is new."""

from __future__ import annotations

from app.shell.components.sent import only_new


def test_only_what_is_new_is_sent() -> None:
    values, names = only_new({}, {"top": "a", "rest": "b"})
    assert values == ["a", "b"]
    values, names = only_new(names, {"top": "a", "rest": "c"})
    assert values[0] != "a" and values[1] == "c"
