"""What a strategy sees: a checked pool of unit rows in an order that content alone decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.blocks import Ordered, Rows, read, release, unit
from vecaf.selection.sharded import WHOLE, Split

_BLOCK_BYTES = 8 * 2**20  # rows are hashed and scaled in blocks that stay in the cache


@dataclass(frozen=True)
class Pool:
    """The rows to choose from, in *canonical order*: sorted by a seeded hash of what they are.

    A strategy may therefore draw and break ties by position: permuting the caller's rows changes
    no pick, and any run of consecutive positions is a uniform random sample of the pool.

    rows           (n, d), to be read in blocks (`blocks.read`) as unit float32 rows; a row of zeros
                   stays zero. float16 features that are mapped from a file stay there
    chosen         int64 (c,), positions picked in earlier rounds
    losses         float32 (n,) or None
    labels         int64 (n,) or None; -1 where unknown
    probabilities  float32 (n, classes) or None
    order          int64 (n,), the caller's row at each position
    split          the processes that make this selection together
    """

    rows: Rows
    chosen: Ids
    losses: Floats | None
    labels: Ids | None
    probabilities: Floats | None
    order: Ids
    split: Split = WHOLE

    def __len__(self) -> int:
        return len(self.order)

    @cached_property
    def features(self) -> Floats:
        """All rows in memory: float32 (n, d)."""
        return read(self.rows, slice(None))

    def available(self) -> npt.NDArray[np.bool_]:
        """bool (n,): True where a row may still be picked."""
        free = np.ones(len(self), dtype=bool)
        free[self.chosen] = False
        return free

    def positions(self, rows: npt.ArrayLike, name: str) -> Ids:
        """Positions of the caller's `rows`; raises InputError as `distinct_rows` does."""
        return _inverse(self.order)[distinct_rows(rows, len(self), name)]


def make_pool(
    features: npt.ArrayLike,
    seed: int,
    *,
    losses: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    probabilities: npt.ArrayLike | None = None,
    chosen: npt.ArrayLike | None = None,
    keys: npt.ArrayLike | None = None,
) -> Pool:
    """Check the caller's arrays and put them in canonical order, by `keys` if given.

    Raises InputError for a wrong shape or length, NaN or infinity, or bad `chosen` rows.
    """
    rows = _matrix(features, "features")
    n = len(rows)
    order = canonical_order(rows if keys is None else _keys(keys, n), seed)
    taken = distinct_rows(() if chosen is None else chosen, n, "chosen")
    classes = None if probabilities is None else _matrix(probabilities, "probabilities", n)
    return Pool(
        rows=Ordered(rows, order) if _mapped(rows) else _unit_rows(rows, order),
        chosen=_inverse(order)[taken],
        losses=None if losses is None else _vector(losses, "losses", n)[order],
        labels=None if labels is None else _labels(labels, n)[order],
        probabilities=None if classes is None else classes[order].astype(np.float32),
        order=order,
    )


def canonical_order(rows: npt.NDArray[Any], seed: int) -> Ids:
    """Order of `rows` (n, d) that depends on their bytes and `seed`, not on their positions.

    Each row is hashed by multilinear hashing modulo 2^64 (random odd coefficients drawn from
    `seed`) and a SplitMix64 finish: one pass, no Python per row. Equal rows are numbered and
    hashed again, so that twins spread over the order like any other rows.
    """
    n = len(rows)
    width = -(-rows.shape[1] * rows.itemsize // 8)  # 64-bit words a row, padded with zeros
    coefficients = np.random.default_rng(seed).integers(2**64, size=width, dtype=np.uint64)
    coefficients |= np.uint64(1)
    keys = np.empty(n, dtype=np.uint64)
    step = max(1, _BLOCK_BYTES // (8 * width))
    for start in range(0, n, step):
        block = np.ascontiguousarray(rows[start : start + step])
        words = np.zeros((len(block), width * 8), dtype=np.uint8)
        words[:, : block.shape[1] * block.itemsize] = block.view(np.uint8)
        keys[start : start + step] = np.einsum("ij,j->i", words.view(np.uint64), coefficients)
        release(rows)
    keys = _mix(keys)
    by_key = np.argsort(keys, kind="stable")
    ranked = keys[by_key]
    new = np.concatenate(([True], ranked[1:] != ranked[:-1]))
    twin = np.arange(n) - np.maximum.accumulate(np.where(new, np.arange(n), 0))
    keys[by_key] = np.where(
        twin > 0, _mix(ranked + twin.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)), ranked
    )
    return np.argsort(keys, kind="stable").astype(np.int64)


def distinct_rows(rows: npt.ArrayLike, n: int, name: str) -> Ids:
    """`rows` as int64 (c,), or InputError if they are not distinct whole numbers in [0, n)."""
    given = _array(rows, name)
    if given.size == 0:
        return np.empty(0, dtype=np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise InputError(f"{name} must be a flat list of row numbers (whole numbers).")
    if given.min() < 0 or given.max() >= n:
        raise InputError(
            f"{name} names row {given.min() if given.min() < 0 else given.max()}, but the pool's "
            f"rows run from 0 to {n - 1}."
        )
    ids = given.astype(np.int64)
    if len(np.unique(ids)) < len(ids):
        raise InputError(f"{name} names a row twice; give each row once.")
    return ids


def _inverse(order: Ids) -> Ids:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def _mix(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finish of SplitMix64 (Steele et al., 2014): every input bit reaches every output bit."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = keys ^ (keys >> np.uint64(31))
    return mixed


def _mapped(rows: npt.NDArray[Any]) -> bool:
    return isinstance(rows, np.memmap) and rows.dtype == np.float16


def _unit_rows(rows: npt.NDArray[Any], order: Ids) -> Floats:
    """rows[order] as float32 of unit length; a row of zeros stays zero."""
    found = np.empty(rows.shape, dtype=np.float32)
    step = max(1, _BLOCK_BYTES // (4 * rows.shape[1]))
    for start in range(0, len(order), step):
        found[start : start + step] = unit(rows[order[start : start + step]])
    return found


def _matrix(values: npt.ArrayLike, name: str, n: int | None = None) -> npt.NDArray[Any]:
    matrix = _numbers(values, name)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} must be a table with one row for each image, shape (rows, columns); "
            f"got shape {matrix.shape}."
        )
    _check_length(matrix, name, n)
    _check_finite(matrix, name)
    return matrix


def _vector(values: npt.ArrayLike, name: str, n: int) -> Floats:
    vector = _numbers(values, name)
    if vector.ndim != 1:
        raise InputError(f"{name} must be one number for each row; got shape {vector.shape}.")
    _check_length(vector, name, n)
    _check_finite(vector, name)
    return vector.astype(np.float32)


def _labels(values: npt.ArrayLike, n: int) -> Ids:
    labels = _array(values, "labels")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError("labels must be one whole number for each row (-1 where unknown).")
    _check_length(labels, "labels", n)
    return labels.astype(np.int64)


def _keys(values: npt.ArrayLike, n: int) -> npt.NDArray[np.uint8]:
    keys = _array(values, "keys")
    if keys.ndim != 2 or keys.dtype != np.uint8 or not keys.shape[1]:
        raise InputError("keys must be a table of bytes (uint8), one row for each image.")
    _check_length(keys, "keys", n)
    return keys


def _array(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{name} has rows of different lengths; make them equal.") from None


def _numbers(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """`values` as a float array; float16 and float32 are kept, everything else is float64."""
    array = values if isinstance(values, np.memmap) else _array(values, name)
    if array.dtype in (np.float16, np.float32):
        return array
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold numbers; got {array.dtype}.")
    return array.astype(np.float64)


def _check_length(values: npt.NDArray[Any], name: str, n: int | None) -> None:
    if n is not None and len(values) != n:
        raise InputError(
            f"{name} has {len(values)} rows but features has {n}; they must describe the same "
            "images in the same order."
        )


def _check_finite(values: npt.NDArray[Any], name: str) -> None:
    step = max(1, _BLOCK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), step):
        block = values[start : start + step]
        if block.dtype == np.float64:  # it will be narrowed
            with np.errstate(over="ignore"):
                block = block.astype(np.float32)
        finite = np.isfinite(block)
        release(values)
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0, 0])
            raise InputError(
                f"{name} holds NaN, infinity or more than 32 bits hold (first in row {row}); drop "
                "that row or compute it again."
            )
