"""Binary bundles: named arrays and a little JSON in one response (array_bundle.js reads them).

A map of a million points takes 8 MB and is drawn without a copy. As JSON it would take 40 MB, which
the browser parses for seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"VCB1"
ALIGNMENT = 8  # a typed array may only start at a multiple of its item's size
# For types that browsers lack: one that holds the values exactly.
SENT_AS = {"bool": "uint8", "float16": "float32", "int64": "float64", "uint64": "float64"}
SENT = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
EXACT = 2**53  # a float64 holds every whole number up to here


def pack(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any] | None = None) -> bytes:
    """Return `arrays` (flattened in row order) and `meta` (JSON) as one bundle.

    Layout, little-endian: "VCB1", the header's length as uint32, the header (JSON: meta, and each
    array's name, type, offset in bytes and length in items), padding, the arrays, each at a
    multiple of 8. Integers of 64 bits are sent as float64.

    Raises
    ------
    ValueError
        If an array is not numeric, or holds integers that float64 can't represent.
    """
    parts = {name: _sendable(name, array) for name, array in arrays.items()}
    entries, size = [], 0
    for name, part in parts.items():
        entries.append({"name": name, "type": part.dtype.name, "at": size, "length": part.size})
        size += _padded(part.nbytes)
    header = json.dumps({"meta": dict(meta or {}), "arrays": entries}).encode()
    start = _padded(len(MAGIC) + 4 + len(header))
    out = bytearray(start + size)
    out[: len(MAGIC)] = MAGIC
    out[len(MAGIC) : len(MAGIC) + 4] = len(header).to_bytes(4, "little")
    out[len(MAGIC) + 4 : len(MAGIC) + 4 + len(header)] = header
    for entry, part in zip(entries, parts.values(), strict=True):
        at = start + int(str(entry["at"]))
        out[at : at + part.nbytes] = part.tobytes()
    return bytes(out)


def _sendable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    kind = SENT_AS.get(array.dtype.name, array.dtype.name)
    if kind not in SENT:
        raise ValueError(f"The array '{name}' holds {array.dtype}, which a bundle can't carry.")
    whole = kind == "float64" and array.dtype.kind in "iu" and array.size > 0
    if whole and max(abs(int(array.max())), abs(int(array.min()))) > EXACT:
        raise ValueError(f"The array '{name}' holds numbers above 2^53.")
    return np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<")).reshape(-1)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
