"""The embedding cache: content-addressed rows in shards that need no lock.

One folder an embedding set, named by the encoder's fingerprint. A shard is two files:
`<id>.npy`, float32 rows (m, d), and `<id>.keys.npy`, the sha256 digests of their images
(m, 32); the id ends in a checksum of both. The keys are written last, so a shard is there
whole or not at all, names never clash, and a row that two processes wrote counts once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
import uuid
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
STALE_SECONDS = 24 * 3600  # a half-written shard this old belongs to a process that died

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """Where the rows of an embedding set are: `keys` (n,) sorted, each with its place."""

    keys: Digests
    shard: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    shards: tuple[npt.NDArray[np.float32], ...]  # memory maps

    def with_shard(self, keys: Digests, rows: npt.NDArray[np.float32]) -> Index:
        """This index and one more shard of new keys (m,) and rows (m, d)."""
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
        """Position of each wanted key in `keys`, −1 where it is absent; (n,) int64."""
        if not len(self.keys):
            return np.full(len(wanted), -1)
        at = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, at, -1)


def index_of(shards: Sequence[tuple[Digests, npt.NDArray[np.float32]]]) -> Index:
    """Index shards of keys (m,) and rows (m, d); of a key that comes twice the first row counts."""
    sizes = [len(keys) for keys, _ in shards]
    every = np.concatenate([np.empty(0, "S32"), *(keys for keys, _ in shards)])
    keys, first = np.unique(every, return_index=True)
    starts = np.cumsum([0, *sizes])
    shard = np.searchsorted(starts, first, side="right") - 1
    return Index(keys, shard, first - starts[shard], tuple(rows for _, rows in shards))


class EmbeddingSet:
    """The rows of one encoder: a folder that any number of processes read and add to."""

    def __init__(self, folder: Path, feature_dim: int) -> None:
        self.folder = folder
        self.feature_dim = feature_dim

    def describe(self, facts: Mapping[str, object]) -> None:
        """Leave the facts behind the fingerprint in `set.json`, for people."""
        path = self.folder / "set.json"
        if not path.exists():
            write_bytes(path, json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n")

    def add(self, keys: Digests, rows: npt.NDArray[np.float32]) -> None:
        """Write a durable shard: keys (m,), rows (m, d). UnavailableError on a full disk."""
        digests = np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, 32)
        name = f"{uuid.uuid4().hex}-{_checksum(digests, rows):08x}"
        for suffix, array in ((".npy", rows), (KEYS, digests)):  # keys last: they publish it
            with replacing(self.folder / (name + suffix)) as path, path.open("wb") as file:
                np.save(file, array)

    def index(self) -> Index:
        """Read what is there now. A damaged shard is passed over with a warning."""
        found = map(self.open_shard, sorted(self.folder.glob(f"*{KEYS}")))
        return index_of([shard for shard in found if shard is not None])

    def remove_leftovers(self) -> None:
        """Delete what dead processes left half written more than a day ago."""
        limit = time.time() - STALE_SECONDS
        for path in self.folder.iterdir():
            orphan = path.suffix == ".npy" and not path.with_suffix(KEYS).exists()
            orphan = orphan and not path.name.endswith(KEYS)
            with contextlib.suppress(FileNotFoundError):  # another process may be quicker
                if (orphan or path.suffix == ".tmp") and path.stat().st_mtime < limit:
                    path.unlink()

    def open_shard(self, keys_path: Path) -> tuple[Digests, npt.NDArray[np.float32]] | None:
        """A shard's keys (m,) and rows (m, d), memory-mapped; None, with a warning, if damaged."""
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
            log.warning("the embedding shard %s is damaged; its images are embedded again", name)
            return None
        return digests.view("S32").ravel(), rows


def digests_of(keys: Sequence[str]) -> Digests:
    """Hex sha256 strings (n) as an array of 32-byte strings (n,); InputError if one is not."""
    try:
        joined = bytes.fromhex("".join(keys))
    except ValueError:
        joined = b""
    if len(joined) != 32 * len(keys) or any(len(key) != 64 for key in keys):
        raise InputError("Image keys must be sha256 digests of 64 hexadecimal digits each.")
    return np.frombuffer(joined, "S32")


def gather(index: Index, wanted: Digests) -> npt.NDArray[np.float32]:
    """The rows of `wanted` keys in the order given; (n, d) float32.

    Raises UnavailableError if one is not in `index`: the disk gave back other bytes than were
    written, or somebody emptied the folder meanwhile.
    """
    at = index.find(wanted)
    if (at < 0).any():
        raise UnavailableError("The embedding cache lost rows while it was in use; try again.")
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
    """Write rows for `missing` as `batches` yields (start, rows), a shard at a time.

    Whatever ends the iteration, rows that are complete by then are written.
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
