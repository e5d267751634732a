"""Arrays and JSON in one response."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from app.shell.array_bundle import pack


def unpack(body: bytes) -> dict[str, Any]:
    """Do in Python what array_bundle.js does."""
    assert body[:4] == b"VCB1"
    (length,) = struct.unpack("<I", body[4:8])
    header = json.loads(body[8 : 8 + length])
    start = -(-(8 + length) // 8) * 8
    found: dict[str, Any] = {"meta": header["meta"]}
    for entry in header["arrays"]:
        assert (start + entry["at"]) % 8 == 0
        found[entry["name"]] = np.frombuffer(
            body, entry["type"], entry["length"], start + entry["at"]
        )
    return found


def test_a_bundle_holds_arrays_of_every_kind_and_odd_lengths() -> None:
    arrays = {
        "bytes": np.arange(3, dtype=np.uint8),
        "flags": np.array([True, False]),
        "half": np.array([[0.5, 2.0]], dtype=np.float16),
        "long": np.array([2**40, -1], dtype=np.int64),
        "none": np.zeros(0, dtype=np.float32),
    }
    found = unpack(pack(arrays, {"name": "ä"}))
    assert found["meta"] == {"name": "ä"}
    assert found["bytes"].tolist() == [0, 1, 2]
    assert found["flags"].tolist() == [1, 0]
    assert found["half"].tolist() == [0.5, 2.0]
    assert found["long"].tolist() == [2**40, -1]
    assert len(found["none"]) == 0


def test_a_bundle_refuses_what_it_would_change() -> None:
    with pytest.raises(ValueError, match="2\\^53"):
        pack({"a": np.array([2**53 + 1])})
    with pytest.raises(ValueError, match="can't carry"):
        pack({"a": np.array(["x"])})
