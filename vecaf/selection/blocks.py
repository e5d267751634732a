"""Rows as they are stored, read a block at a time as unit float32 rows."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

from vecaf.selection.pool import Floats, Ids

# float32 (n, d) of unit length, or float16 (n, d), in memory or mapped from a file.
Rows = npt.NDArray[np.float32] | npt.NDArray[np.float16]


def read(rows: Rows, part: slice | Ids) -> Floats:
    """rows[part] as unit float32 rows: a view where they are that already.

    float16 rows are scaled to unit length again. Pages of a mapped file that were read are given
    back: they are the system's cache, and would count as this process's memory otherwise.
    """
    if rows.dtype == np.float32:
        return rows[part]  # type: ignore[return-value]
    block = rows[part].astype(np.float32)
    block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), np.float32(1e-30))
    if isinstance(rows, np.memmap) and rows.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        rows._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
    return block
