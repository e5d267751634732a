"""Leave out images that a run can't read, and name some of them in its log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from vecaf.datasets.pool import Samples
from vecaf.errors import InputError, UnreadableImageError
from vecaf.files import write_bytes
from vecaf.runs.recording import Recorder
from vecaf.store import Sample, Store

NAME = "left-out.json"
MAX_NAMED = 3


def without_unreadable(samples: Samples, folder: Path, recorder: Recorder, store: Store) -> Samples:
    """Return `samples` without images whose files are missing or damaged.

    A file in the folder of the run lists these images. If the list has changed, the current round
    is repeated from its beginning, because its batches change. Raises InputError if no image is
    left.
    """
    known = _read(folder)
    exists = np.array([path.exists() for path in samples.paths], dtype=bool)
    damaged = np.isin(samples.ids, known["damaged"])
    rows = np.flatnonzero(~exists | damaged)
    if len(rows) == len(samples):
        raise InputError(
            "All image files of this dataset are missing or damaged. To restore them, restore a "
            "backup or import the same images again as a new dataset."
        )
    lost = samples.ids[rows].tolist()
    if lost == known["left_out"]:
        return samples.without(rows) if lost else samples
    current = len(recorder.finished_rounds()) + 1
    for path in (folder / f"round-{current}").glob("*.safetensors"):
        path.unlink()
    _write(folder, lost, known["damaged"])
    recorder.log(_sentence(store, lost), "warning")
    return samples.without(rows)


def note_damaged(samples: Samples, folder: Path, error: UnreadableImageError) -> None:
    """Record an image file that could not be read.

    Raises the error again if the file is not an image of the dataset or is already left out.
    """
    known = _read(folder)
    ids = [int(samples.ids[row]) for row, path in enumerate(samples.paths) if path == error.path]
    if not set(ids) - set(known["left_out"]):
        raise error
    _write(folder, known["left_out"], sorted({*known["damaged"], *ids}))


def _sentence(store: Store, lost: list[int]) -> str:
    if not lost:
        return "All images are readable again."
    query = sa.select(Sample.file_name).where(Sample.id.in_(lost[:MAX_NAMED])).order_by(Sample.id)
    with store.read() as session:
        names = ", ".join(session.scalars(query)) + (" …" if len(lost) > MAX_NAMED else "")
    be, they = ("image is", "it was") if len(lost) == 1 else ("images are", "they were")
    return (
        f"{len(lost):,} {be} missing or damaged, so {they} left out: {names}. "
        "To restore the files, import the same images again as a new dataset: both datasets then "
        "use the new files."
    )


def _read(folder: Path) -> dict[str, list[int]]:
    path = folder / NAME
    if not path.exists():
        return {"left_out": [], "damaged": []}
    kept: dict[str, list[int]] = json.loads(path.read_text())
    return kept


def _write(folder: Path, left_out: list[int], damaged: list[int]) -> None:
    content = json.dumps({"left_out": left_out, "damaged": damaged})
    write_bytes(folder / NAME, content.encode())
