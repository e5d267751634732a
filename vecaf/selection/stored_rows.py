"""Feature rows in memory or in a mapped file, read in chunks as float32 unit rows."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from vecaf.selection.sharded_rows import ShardedRows
from vecaf.selection.subspace import unit_float32

if TYPE_CHECKING:
    from vecaf.arrays import Floats, Ids


_COPIED = 8192  # rows in float32 at a time
_SCATTERED = 32  # rows between releases: Linux maps up to a MiB around each


class ReorderedRows:
    """Rows of a mapped file in another order, without a copy.

    Parameters
    ----------
    stored
        The file's rows, shape (m, d).
    order
        The stored row at each position, shape (n,).
    """

    def __init__(self, stored: npt.NDArray[Any], order: Ids) -> None:
        """Keep the rows of the file in `order` (int64)."""
        self._stored = stored
        self._order = order
        self.shape = (len(order), stored.shape[1])

    def __len__(self) -> int:
        return len(self._order)

    def read(self, part: slice | Ids) -> Floats:
        """Return the rows at these positions as float32 unit rows."""
        return unit_float32(_taken(self._stored, self._order[part]))


class ReadableRows(Protocol):
    """Rows that are elsewhere: in a mapped file, or in shards."""

    @property
    def shape(self) -> tuple[int, int]: ...
    def __len__(self) -> int: ...
    def read(self, part: slice | Ids) -> Floats:
        """Return the rows at these positions as float32 unit rows."""


FeatureRows = npt.NDArray[np.float32] | npt.NDArray[np.float16] | ReadableRows
"""float32 unit rows (n, d); or float16 rows, in memory or mapped; or rows that are elsewhere."""


LoadedRows = npt.NDArray[np.float32] | ShardedRows
"""float32 unit rows (n, d), or rows in shards that have them in memory."""


def read_rows(rows: FeatureRows, part: slice | Ids) -> Floats:
    """Return rows at these positions as float32 unit rows; float32 rows are unit already."""
    if not isinstance(rows, np.ndarray):
        return rows.read(part)
    if rows.dtype == np.float32:
        return rows[part]  # type: ignore[return-value]
    return unit_float32(_taken(rows, part))


def release_pages(rows: npt.NDArray[Any]) -> None:
    """Release the memory pages of a mapped file after reading; do nothing for other arrays.

    They are cached by the system, but would count as memory of this process.
    """
    if isinstance(rows, np.memmap) and rows.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        rows._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def shard_rows(rows: npt.NDArray[Any], part: Ids) -> npt.NDArray[np.float16]:
    """Return a copy of the rows at these positions in float16, of unit length if they were not.

    Float16 rows are copied unchanged. Others are scaled first: their entries may exceed the range
    of float16.
    """
    found = np.empty((len(part), rows.shape[1]), np.float16)
    for start in range(0, len(part), _COPIED):
        chunk = _taken(rows, part[start : start + _COPIED])
        found[start : start + _COPIED] = (
            chunk if chunk.dtype == np.float16 else unit_float32(chunk).astype(np.float16)
        )
    return found


def _taken(rows: npt.NDArray[Any], part: slice | Ids) -> npt.NDArray[Any]:
    """Return a copy of the rows at these positions, and release their pages."""
    if isinstance(part, slice) or not isinstance(rows, np.memmap):
        chunk = np.array(rows[part])
        release_pages(rows)
        return chunk
    chunk = np.empty((len(part), rows.shape[1]), rows.dtype)
    for start in range(0, len(part), _SCATTERED):
        some = slice(start, start + _SCATTERED)
        chunk[some] = rows[part[some]]
        release_pages(rows)
    return chunk
