"""What commands print is JSON wherever it goes."""

from __future__ import annotations

import io
import json
import sys

import pytest

from vecaf.terminal import show


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_json_is_json_in_any_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, "backslashreplace"))
    show({"name": "größe 😀"}, "", as_json=True)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == {"name": "größe 😀"}
