"""Find files that are no longer needed, and move them to the trash (`python -m vecaf gc`)."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from vecaf.encoders.cache import KEYS, EmbeddingSet
from vecaf.engine.paths import folder_of
from vecaf.export.model_files import CONFIG, LABELS, WEIGHTS
from vecaf.files import size_of
from vecaf.housekeeping.orphaned_files import (
    HOUR,
    OrphanedFile,
    find_orphaned_files,
    majority_warning,
    move_to_trash,
)
from vecaf.housekeeping.trash import Trash
from vecaf.store import ENDED, FINISHED, Round, Run, Sample, Store, Subset, Task
from vecaf.store.deletion_lock import lock_for_deletion
from vecaf.store.models import now

EARLIER = "weights of an earlier round of a finished run"
OLD_TASK = "old task"
UNUSED = "embeddings of images that no dataset has"
DAMAGED = "damaged embeddings"
TASK_DAYS = 30
"""Days to keep the results of tasks, since users can bookmark maps and comparisons."""


@dataclass(frozen=True)
class Garbage:
    """Something to delete: its kind and name, as shown to users, its size, and how to delete it."""

    kind: str
    name: str
    bytes: int
    target: OrphanedFile | Callable[[Trash], object]


def find_garbage(store: Store, *, task_days: int = TASK_DAYS, grace: float = HOUR) -> list[Garbage]:
    """Find everything that can be deleted.

    Parameters
    ----------
    task_days
        Keep the results of tasks for this many days.
    grace
        Keep files newer than this many seconds, since a running job may have written them.
    """
    home = store.settings.home
    left = [
        Garbage(one.kind, one.path.relative_to(home).as_posix(), one.bytes, one)
        for one in find_orphaned_files(store, grace)
    ]
    found = [*_checkpoints(store), *_tasks(store, timedelta(days=task_days))]
    return [*found, *_embeddings(store, grace), *left]


def remove_garbage(store: Store, found: list[Garbage], *, force: bool = False) -> Trash:
    """Move everything in `found` to the trash, and return the trash.

    Raises
    ------
    InputError
        Most images or runs would be removed, and `force` is False.
    UnavailableError
        A backup is being made.
    """
    trash = Trash(store.settings.home)
    move_to_trash(store, _left(found), trash, force=force)
    for one in found:
        if not isinstance(one.target, OrphanedFile):
            one.target(trash)
    return trash


def refusal_reason(store: Store, found: list[Garbage]) -> str | None:
    """Return why `remove_garbage` would refuse; None if it would not."""
    return majority_warning(store.settings, _left(found))


def _left(found: list[Garbage]) -> list[OrphanedFile]:
    return [one.target for one in found if isinstance(one.target, OrphanedFile)]


def by_kind(found: list[Garbage]) -> list[dict[str, Any]]:
    """Return the number and the total bytes of each kind, largest first."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in found:
        sums[one.kind][0] += 1
        sums[one.kind][1] += one.bytes
    kinds = sorted(sums.items(), key=lambda item: -item[1][1])
    return [{"kind": kind, "count": count, "bytes": size} for kind, (count, size) in kinds]


def _checkpoints(store: Store) -> Iterator[Garbage]:
    """Yield the weights of earlier rounds of finished runs; only the last ones are still needed."""
    settings = store.settings
    last = sa.select(sa.func.max(Round.number)).where(Round.run_id == Run.id).scalar_subquery()
    with store.read() as session:
        runs = session.execute(sa.select(Run.id, last).where(Run.state == FINISHED)).all()
    for run_id, number in runs:
        folder = folder_of(settings, "run", run_id)
        if not all((folder / "model" / name).is_file() for name in (WEIGHTS, CONFIG, LABELS)):
            continue
        for path in sorted(folder.glob("round-*/*.safetensors")):
            if path.parent.name != f"round-{number}":
                name = path.relative_to(settings.home).as_posix()
                yield Garbage(EARLIER, name, size_of(path), partial(_discard, store, [path]))


def _discard(store: Store, paths: Sequence[Path], trash: Trash) -> None:
    with lock_for_deletion(store.settings):
        for path in paths:
            trash.put(path)


def _tasks(store: Store, age: timedelta) -> Iterator[Garbage]:
    """Yield old tasks with their folders.

    The newest result of each kind, and tasks that a saved selection came from, are kept.
    """
    with store.read() as session:
        newest = sa.select(sa.func.max(Task.id)).where(Task.state == FINISHED)
        kept = set(session.scalars(newest.group_by(Task.dataset_id, Task.kind)))
        kept |= {facts.get("task") for facts in session.scalars(sa.select(Subset.facts))}
        ended = sa.select(Task).where(Task.state.in_(ENDED), Task.finished_at < now() - age)
        old = [task for task in session.scalars(ended.order_by(Task.id)) if task.id not in kept]
    for task in old:
        size = size_of(folder_of(store.settings, "task", task.id))
        yield Garbage(OLD_TASK, f"{task.kind} {task.id}", size, partial(_forget, store, task.id))


def _forget(store: Store, task_id: int, trash: Trash) -> None:
    with lock_for_deletion(store.settings):
        with store.write() as session:
            session.execute(sa.delete(Task).where(Task.id == task_id, Task.state.in_(ENDED)))
        trash.put(folder_of(store.settings, "task", task_id))


def _embeddings(store: Store, grace: float) -> Iterator[Garbage]:
    """Yield cached embeddings of images that no dataset has; embeddings of texts are kept."""
    with store.read() as session:
        keys = session.scalars(sa.select(Sample.sha256).distinct())
        used = np.array([bytes.fromhex(key) for key in keys], "S32")
    for facts in sorted(store.settings.embeddings.glob("*/set.json")):
        about = json.loads(facts.read_text())
        if "preprocessing" not in about:
            continue
        cache = EmbeddingSet(facts.parent, int(about["feature_dim"]))
        for path in sorted(facts.parent.glob(f"*{KEYS}")):
            if time.time() - path.stat().st_mtime > grace:
                yield from _shard(store, cache, path, used)


def _shard(
    store: Store, cache: EmbeddingSet, keys_path: Path, used: npt.NDArray[np.bytes_]
) -> Iterator[Garbage]:
    """Yield a shard's unused rows, or the whole shard if it is damaged.

    To delete rows, the shard is written again without them.
    """
    # The file with the keys is deleted first: a shard without it is ignored.
    paths = (keys_path, keys_path.with_name(keys_path.name.removesuffix(KEYS) + ".npy"))
    size = sum(map(size_of, paths))
    name = f"{keys_path.parent.name}/{keys_path.name[:8]}…"
    opened = cache.open_shard(keys_path)
    if opened is None:
        yield Garbage(DAMAGED, name, size, partial(_discard, store, paths))
        return
    keys, rows = opened
    needed = np.isin(keys, used)

    def rewrite(trash: Trash) -> None:
        if needed.any():
            cache.add(keys[needed], np.ascontiguousarray(rows[needed]))
        _discard(store, paths, trash)

    if not needed.all():
        count = int((~needed).sum())
        yield Garbage(UNUSED, f"{count:,} of {name}", size * count // len(keys), rewrite)
