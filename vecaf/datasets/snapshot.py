"""Snapshots of labels, captions and exclusions, so that edits don't affect a started run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.datasets.pool import Samples
from vecaf.files import write_bytes

NAME = "data.json"


def with_snapshot(samples: Samples, folder: Path) -> Samples:
    """Return `samples` with the labels, captions and exclusions of the run's snapshot.

    The first call writes the snapshot to `folder`. Later calls read it, so that a resumed run uses
    the same data. The images themselves never change.
    """
    path = folder / NAME
    if path.exists():
        kept = json.loads(path.read_text())
        return replace(
            samples,
            classes=tuple(kept["classes"]),
            labels=np.array(kept["labels"], dtype=np.int64),
            captions=tuple(kept["captions"]) if kept["captions"] else (None,) * len(samples),
            excluded=np.isin(samples.ids, kept["excluded"]),
        )
    kept = {
        "classes": samples.classes,
        "labels": samples.labels.tolist(),
        "captions": samples.captions if any(samples.captions) else [],
        "excluded": samples.ids[samples.excluded].tolist(),
    }
    write_bytes(path, json.dumps(kept, ensure_ascii=False).encode())
    return samples


def snapshot_classes(folder: Path) -> tuple[str, ...] | None:
    """Return the class names in a run's snapshot; None if there is no snapshot."""
    path = folder / NAME
    if not path.exists():
        return None
    return tuple(json.loads(path.read_text())["classes"])


def classes_of_run(folder: Path, classes: Sequence[str]) -> list[str]:
    """Return class names by index, as they were when the run started.

    `classes`: those of the dataset now, for classes that were added since.
    """
    begun = snapshot_classes(folder) or ()
    return [*begun, *classes[len(begun) :]]


def snapshot_labels(folder: Path) -> NDArray[np.int64] | None:
    """Return the labels in a run's snapshot; None if there is no snapshot.

    The array has shape (n,) and is in id order; −1 means unlabeled.
    """
    path = folder / NAME
    if not path.exists():
        return None
    return np.array(json.loads(path.read_text())["labels"], dtype=np.int64)
