"""A run's data as it was when the run began: labels edited meanwhile don't change a run halfway."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.datasets.pool import Samples
from vecaf.files import write_bytes

NAME = "data.json"


def with_snapshot(samples: Samples, folder: Path) -> Samples:
    """`samples` with the labels, captions and exclusions that `folder` remembers.

    The first call writes them down there, so that every later one, a resumed run's too, gets the
    same. Images themselves never change.
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
    """The names of the classes that a run began with; None where it kept nothing."""
    path = folder / NAME
    if not path.exists():
        return None
    return tuple(json.loads(path.read_text())["classes"])


def snapshot_labels(folder: Path) -> NDArray[np.int64] | None:
    """The labels (n,) that a run went by, in id order, −1 for none; None where it kept nothing."""
    path = folder / NAME
    if not path.exists():
        return None
    return np.array(json.loads(path.read_text())["labels"], dtype=np.int64)
