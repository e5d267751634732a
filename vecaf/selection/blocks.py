"""Rows as they are stored, read a block at a time as unit float32 rows."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from vecaf.arrays import Floats, Ids


_SCATTERED = 32  # rows read before pages are given back: Linux maps up to a MiB around each


class Ordered:
    """Rows of a mapped file in an order of its own, of which no copy is made."""

    def __init__(self, stored: npt.NDArray[Any], order: Ids) -> None:
        """stored (m, d); order int64 (n,), the stored row at each position."""
        self._stored = stored
        self._order = order
        self.shape = (len(order), stored.shape[1])

    def __len__(self) -> int:
        return len(self._order)

    def block(self, part: slice | Ids) -> Floats:
        """The rows at these positions, unit float32."""
        return unit(_taken(self._stored, self._order[part]))


# float32 (n, d) of unit length, or float16 (n, d) in memory or mapped, or mapped and in order.
Rows = npt.NDArray[np.float32] | npt.NDArray[np.float16] | Ordered


def read(rows: Rows, part: slice | Ids) -> Floats:
    """The rows at these positions, unit float32: of an array that holds such rows as they are."""
    if isinstance(rows, Ordered):
        return rows.block(part)
    if rows.dtype == np.float32:
        return rows[part]  # type: ignore[return-value]
    return unit(_taken(rows, part))


def unit(block: npt.NDArray[Any]) -> Floats:
    """`block` (b, d) as float32 rows of unit length; a row of zeros stays zero."""
    rows = block.astype(np.float32)
    # Scaling by the largest entry first keeps the squares of huge rows finite.
    rows /= np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.float32(1e-30))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-30))
    return rows


def release(rows: npt.NDArray[Any]) -> None:
    """Give back the pages of a mapped file that were read; of anything else, do nothing.

    They are the system's cache, but would count as this process's memory.
    """
    if isinstance(rows, np.memmap) and rows.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        rows._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def _taken(rows: npt.NDArray[Any], part: slice | Ids) -> npt.NDArray[Any]:
    """A copy of the rows at these positions, whose pages are given back."""
    if isinstance(part, slice) or not isinstance(rows, np.memmap):
        block = np.array(rows[part])
        release(rows)
        return block
    block = np.empty((len(part), rows.shape[1]), rows.dtype)
    for start in range(0, len(part), _SCATTERED):
        some = slice(start, start + _SCATTERED)
        block[some] = rows[part[some]]
        release(rows)
    return block
