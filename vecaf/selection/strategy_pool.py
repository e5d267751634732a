"""The input of a strategy: checked unit rows in an order that depends only on their content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.sharded_rows import ShardedRows, Sharding
from vecaf.selection.stored_rows import (
    FeatureRows,
    LoadedRows,
    ReorderedRows,
    read_rows,
    release_pages,
)
from vecaf.selection.subspace import unit_float32

_CHUNK_BYTES = 8 * 2**20  # chunks that fit the cache


@dataclass(frozen=True)
class Pool:
    """The rows to select from, in canonical order: sorted by a seeded hash of their content.

    A strategy may draw and break ties by position: the order of the caller's rows changes nothing,
    and consecutive positions are a uniform random sample.

    Attributes
    ----------
    rows
        Shape (n, d), to be read with `stored_rows.read_rows` as float32 unit rows; a row of zeros
        stays zero. Float16 features in a mapped file stay there. Rows in shards stay there.
    earlier
        Positions selected in earlier rounds, shape (c,).
    losses
        Shape (n,), or None.
    labels
        Shape (n,), −1 where unknown, or None.
    probabilities
        Shape (n, classes), or None.
    order
        The caller's row at each position, shape (n,).
    """

    rows: FeatureRows
    earlier: Ids
    losses: Floats | None
    labels: Ids | None
    probabilities: Floats | None
    order: Ids

    def __len__(self) -> int:
        return len(self.order)

    @cached_property
    def features(self) -> Floats:
        """All rows in memory, float32 of shape (n, d)."""
        return read_rows(self.rows, slice(None))

    @property
    def loaded(self) -> LoadedRows:
        """All rows in memory: of this process, or of the shards."""
        return self.rows if isinstance(self.rows, ShardedRows) else self.features

    def available(self) -> npt.NDArray[np.bool_]:
        """Return which rows may be selected, bool of shape (n,)."""
        free = np.ones(len(self), dtype=bool)
        free[self.earlier] = False
        return free

    def close(self) -> None:
        """Release the shards, if there are any."""
        if isinstance(self.rows, ShardedRows):
            self.rows.shards.close()

    def positions(self, rows: npt.ArrayLike, name: str) -> Ids:
        """Return the positions of the caller's rows; raises InputError as `distinct_rows`."""
        return _inverse(self.order)[distinct_rows(rows, len(self), name)]


def make_pool(
    features: npt.ArrayLike,
    seed: int,
    *,
    losses: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    probabilities: npt.ArrayLike | None = None,
    selected: npt.ArrayLike | None = None,
    keys: npt.ArrayLike | None = None,
    sharding: Sharding | None = None,
) -> Pool:
    """Check the caller's arrays and put them in canonical order.

    Parameters
    ----------
    features, losses, labels, probabilities, selected, keys, seed
        As in `vecaf.select`.
    sharding
        Stores the rows in shards; by default, they are in this process.

    Raises
    ------
    InputError
        For a wrong shape or length, NaN or infinity, or invalid `selected` rows.
    """
    rows = _matrix(features, "features")
    n = len(rows)
    order = canonical_order(rows if keys is None else _keys(keys, n), seed)
    taken = distinct_rows(() if selected is None else selected, n, "selected")
    classes = None if probabilities is None else _matrix(probabilities, "probabilities", n)
    return Pool(
        rows=_stored(rows, order, sharding),
        earlier=_inverse(order)[taken],
        losses=None if losses is None else _vector(losses, "losses", n)[order],
        labels=None if labels is None else _labels(labels, n)[order],
        probabilities=None if classes is None else classes[order].astype(np.float32),
        order=order,
    )


def canonical_order(rows: npt.NDArray[Any], seed: int) -> Ids:
    """Return an order of rows (n, d) that depends on their bytes and `seed`, not on their
    positions.

    Each row is hashed by multilinear hashing modulo 2^64, with random odd coefficients drawn from
    `seed`, and the finalizer of SplitMix64. Equal rows are numbered and hashed again, so that
    duplicates spread over the order like other rows.
    """
    n = len(rows)
    width = -(-rows.shape[1] * rows.itemsize // 8)  # 64-bit words per row, padded with zeros
    coefficients = np.random.default_rng(seed).integers(2**64, size=width, dtype=np.uint64)
    coefficients |= np.uint64(1)
    keys = np.empty(n, dtype=np.uint64)
    step = max(1, _CHUNK_BYTES // (8 * width))
    for start in range(0, n, step):
        chunk = np.ascontiguousarray(rows[start : start + step])
        words = np.zeros((len(chunk), width * 8), dtype=np.uint8)
        words[:, : chunk.shape[1] * chunk.itemsize] = chunk.view(np.uint8)
        keys[start : start + step] = np.einsum("ij,j->i", words.view(np.uint64), coefficients)
        release_pages(rows)
    keys = _mix(keys)
    by_key = np.argsort(keys, kind="stable")
    ranked = keys[by_key]
    new = np.concatenate(([True], ranked[1:] != ranked[:-1]))
    duplicate = np.arange(n) - np.maximum.accumulate(np.where(new, np.arange(n), 0))
    keys[by_key] = np.where(
        duplicate > 0,
        _mix(ranked + duplicate.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)),
        ranked,
    )
    return np.argsort(keys, kind="stable").astype(np.int64)


def distinct_rows(rows: npt.ArrayLike, n: int, name: str) -> Ids:
    """Return `rows` as int64 (c,); raise InputError unless they are distinct and in [0, n)."""
    given = _array(rows, name)
    if given.size == 0:
        return np.empty(0, dtype=np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise InputError(f"{name} must be a one-dimensional list of whole numbers.")
    if given.min() < 0 or given.max() >= n:
        raise InputError(
            f"{name} contains row {given.min() if given.min() < 0 else given.max()}, but the pool "
            f"has rows 0 to {n - 1}."
        )
    ids = given.astype(np.int64)
    if len(np.unique(ids)) < len(ids):
        raise InputError(f"{name} contains a row twice. Pass each row once.")
    return ids


def _inverse(order: Ids) -> Ids:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def _mix(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Apply the finalizer of SplitMix64 (Steele et al. 2014): each input bit affects each output
    bit.
    """
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = keys ^ (keys >> np.uint64(31))
    return mixed


def _mapped(rows: npt.NDArray[Any]) -> bool:
    return isinstance(rows, np.memmap) and rows.dtype == np.float16


def _stored(rows: npt.NDArray[Any], order: Ids, sharding: Sharding | None) -> FeatureRows:
    if sharding is not None:
        return ShardedRows(sharding(rows, order))
    return ReorderedRows(rows, order) if _mapped(rows) else _unit_rows(rows, order)


def _unit_rows(rows: npt.NDArray[Any], order: Ids) -> Floats:
    """Return rows[order] as float32 of unit length; a row of zeros stays zero."""
    found = np.empty(rows.shape, dtype=np.float32)
    step = max(1, _CHUNK_BYTES // (4 * rows.shape[1]))
    for start in range(0, len(order), step):
        found[start : start + step] = unit_float32(rows[order[start : start + step]])
    return found


def _matrix(values: npt.ArrayLike, name: str, n: int | None = None) -> npt.NDArray[Any]:
    matrix = _numbers(values, name)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} must have the shape (rows, columns), with one row per image, but it "
            f"has the shape {matrix.shape}."
        )
    _check_length(matrix, name, n)
    _check_finite(matrix, name)
    return matrix


def _vector(values: npt.ArrayLike, name: str, n: int) -> Floats:
    vector = _numbers(values, name)
    if vector.ndim != 1:
        raise InputError(f"{name} has shape {vector.shape}. Pass one number per row.")
    _check_length(vector, name, n)
    _check_finite(vector, name)
    return vector.astype(np.float32)


def _labels(values: npt.ArrayLike, n: int) -> Ids:
    labels = _array(values, "labels")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError("labels must contain one whole number per row (-1 where unknown).")
    _check_length(labels, "labels", n)
    return labels.astype(np.int64)


def _keys(values: npt.ArrayLike, n: int) -> npt.NDArray[np.uint8]:
    keys = _array(values, "keys")
    if keys.ndim != 2 or keys.dtype != np.uint8 or not keys.shape[1]:
        raise InputError("keys must be a uint8 array with one row per image.")
    _check_length(keys, "keys", n)
    return keys


def _array(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{name} has rows of different lengths. Make them equal.") from None


def _numbers(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return `values` as a float array: float16 and float32 stay, all else becomes float64."""
    array = values if isinstance(values, np.memmap) else _array(values, name)
    if array.dtype in (np.float16, np.float32):
        return array
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must contain numbers, but it has the type {array.dtype}.")
    return array.astype(np.float64)


def _check_length(values: npt.NDArray[Any], name: str, n: int | None) -> None:
    if n is not None and len(values) != n:
        raise InputError(
            f"{name} has {len(values)} rows, but features has {n}. Pass the same "
            "images in the same order."
        )


def _check_finite(values: npt.NDArray[Any], name: str) -> None:
    step = max(1, _CHUNK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), step):
        chunk = values[start : start + step]
        if chunk.dtype == np.float64:  # it becomes float32
            with np.errstate(over="ignore"):
                chunk = chunk.astype(np.float32)
        finite = np.isfinite(chunk)
        release_pages(values)
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0, 0])
            raise InputError(
                f"{name} contains NaN, infinity or a number too large for float32 in row {row}. "
                "Remove that row or compute it again."
            )
