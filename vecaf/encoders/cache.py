"""The embedding cache: content-addressed rows in shards, without locks.

Each embedding set has a folder, named by the fingerprint of its encoder. A shard has two files:
`<id>.npy` contains float32 rows (m, d), and `<id>.keys.npy` the SHA-256 digests of their images
(m, 32). The id ends in a checksum of both. The keys are written last, so a shard is either complete
or invisible. The id begins with a hash of the digests: shards of other images have other names, and
a row that two processes write counts once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecaf.errors import InputError, UnavailableError
from vecaf.files import replacing, write_bytes

Digests = npt.NDArray[np.bytes_]  # (n,), dtype S32

KEYS = ".keys.npy"
STALE_SECONDS = 24 * 3600  # an incomplete shard this old belongs to a dead process

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """Where the rows of an embedding set are.

    Attributes
    ----------
    keys
        Digests of the images, sorted, shape (n,).
    shard, row
        Shard number and row of each key, shape (n,).
    shards
        Memory maps of the rows.
    """

    keys: Digests
    shard: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    shards: tuple[npt.NDArray[np.float32], ...]  # memory maps

    def with_shard(self, keys: Digests, rows: npt.NDArray[np.float32]) -> Index:
        """Return an index with another shard of new keys (m,) and rows (m, d)."""
        one = index_of([(keys, rows)])
        more = len(self.shards)
        order = np.argsort(np.concatenate([self.keys, one.keys]))
        return Index(
            np.concatenate([self.keys, one.keys])[order],
            np.concatenate([self.shard, one.shard + more])[order],
            np.concatenate([self.row, one.row])[order],
            (*self.shards, rows),
        )

    def find(self, wanted: Digests) -> npt.NDArray[np.int64]:
        """Return the position of each wanted key in `keys`, −1 if it is missing: shape (n,)."""
        if not len(self.keys):
            return np.full(len(wanted), -1)
        at = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, at, -1)


def index_of(shards: Sequence[tuple[Digests, npt.NDArray[np.float32]]]) -> Index:
    """Index shards of keys (m,) and rows (m, d). If a key occurs twice, its first row counts."""
    sizes = [len(keys) for keys, _ in shards]
    every = np.concatenate([np.empty(0, "S32"), *(keys for keys, _ in shards)])
    keys, first = np.unique(every, return_index=True)
    starts = np.cumsum([0, *sizes])
    shard = np.searchsorted(starts, first, side="right") - 1
    return Index(keys, shard, first - starts[shard], tuple(rows for _, rows in shards))


class EmbeddingSet:
    """The rows of one encoder: a folder that several processes read and write."""

    def __init__(self, folder: Path, feature_dim: int) -> None:
        self.folder = folder
        self.feature_dim = feature_dim

    def describe(self, facts: Mapping[str, object]) -> None:
        """Write the facts that the fingerprint is made of to `set.json`, for people."""
        path = self.folder / "set.json"
        if not path.exists():
            write_bytes(path, json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n")

    def add(self, keys: Digests, rows: npt.NDArray[np.float32]) -> None:
        """Write a durable shard of keys (m,) and rows (m, d). Raises UnavailableError on a full
        disk.
        """
        digests = np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, 32)
        # The same images get the same name, so a repeated block replaces its own shard.
        name = (
            f"{hashlib.sha256(digests.tobytes()).hexdigest()[:32]}-{_checksum(digests, rows):08x}"
        )
        for suffix, array in ((".npy", rows), (KEYS, digests)):  # keys last: they publish the shard
            with replacing(self.folder / (name + suffix)) as path, path.open("wb") as file:
                np.save(file, array)

    def index(self) -> Index:
        """Index the current shards. Damaged ones are skipped with a warning."""
        found = map(self.open_shard, sorted(self.folder.glob(f"*{KEYS}")))
        return index_of([shard for shard in found if shard is not None])

    def remove_leftovers(self) -> None:
        """Delete incomplete files that are more than a day old; their processes have died."""
        limit = time.time() - STALE_SECONDS
        for path in self.folder.iterdir():
            orphan = path.suffix == ".npy" and not path.with_suffix(KEYS).exists()
            orphan = orphan and not path.name.endswith(KEYS)
            with contextlib.suppress(FileNotFoundError):  # another process may have deleted it
                if (orphan or path.suffix == ".tmp") and path.stat().st_mtime < limit:
                    path.unlink()

    def open_shard(self, keys_path: Path) -> tuple[Digests, npt.NDArray[np.float32]] | None:
        """Return keys (m,) and mapped rows (m, d) of a shard; None, with a warning, if damaged."""
        name = keys_path.name.removesuffix(KEYS)
        try:
            digests = np.load(keys_path, allow_pickle=False)
            rows = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            intact = (
                digests.shape == (len(rows), 32)
                and digests.dtype == np.uint8
                and rows.shape[1:] == (self.feature_dim,)
                and rows.dtype == np.float32
                and f"{_checksum(digests, rows):08x}" == name.rpartition("-")[2]
            )
        except (OSError, ValueError, EOFError, TypeError):
            intact = False
        if not intact:
            log.warning("The embedding shard %s is damaged. Its images are embedded again.", name)
            return None
        return digests.view("S32").ravel(), rows


def digests_of(keys: Sequence[str]) -> Digests:
    """Convert n hexadecimal SHA-256 digests to bytes (n,). Raises InputError for other strings."""
    try:
        joined = bytes.fromhex("".join(keys))
    except ValueError:
        joined = b""
    if len(joined) != 32 * len(keys) or any(len(key) != 64 for key in keys):
        raise InputError("Image keys must be sha256 digests of 64 hexadecimal digits each.")
    return np.frombuffer(joined, "S32")


def gather(index: Index, wanted: Digests) -> npt.NDArray[np.float32]:
    """Return the rows of keys, in their order: float32 of shape (n, d).

    Raises
    ------
    UnavailableError
        If a key isn't in `index`, because a file was damaged or removed meanwhile.
    """
    at = index.find(wanted)
    if (at < 0).any():
        raise UnavailableError("The embedding cache lost rows while it was in use. Try again.")
    out = np.empty((len(wanted), index.shards[0].shape[1]), np.float32)
    shard, row = index.shard[at], index.row[at]
    order = np.argsort(shard, kind="stable")
    bounds = np.searchsorted(shard[order], np.arange(len(index.shards) + 1))
    for number, rows in enumerate(index.shards):
        mine = order[bounds[number] : bounds[number + 1]]
        out[mine] = rows[row[mine]]
    return out


def fill(
    store: EmbeddingSet,
    missing: Digests,
    batches: Iterator[tuple[int, npt.NDArray[np.float32]]],
    rows_per_shard: int,
) -> None:
    """Write the rows that `batches` yields, shard by shard.

    If the iteration ends early, the rows so far are written.

    Parameters
    ----------
    store
        The embedding set.
    missing
        Keys of the rows, in order.
    batches
        Yields (first row, rows) for consecutive rows.
    rows_per_shard
        Size of a shard.
    """
    rows = np.empty((rows_per_shard, store.feature_dim), np.float32)
    start = held = 0
    try:
        for _, batch in batches:
            while len(batch):
                part = batch[: rows_per_shard - held]
                rows[held : held + len(part)] = part
                held, batch = held + len(part), batch[len(part) :]
                if held == rows_per_shard:
                    store.add(missing[start : start + held], rows)
                    start, held = start + held, 0
    finally:
        if held:
            store.add(missing[start : start + held], rows[:held])


def _checksum(digests: npt.NDArray[np.uint8], rows: npt.NDArray[np.float32]) -> int:
    return zlib.crc32(np.ascontiguousarray(rows).data, zlib.crc32(digests.tobytes()))
