"""A run uses the labels, captions and exclusions from when it started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.shapes import make_samples
from vecaf.datasets.snapshot import with_snapshot


def test_later_edits_do_not_affect_a_run(tmp_path: Path) -> None:
    samples = make_samples(tmp_path / "images")
    folder = tmp_path / "run"
    folder.mkdir()
    begun = with_snapshot(samples, folder)
    labels = samples.labels.copy()
    labels[:5] = 2
    edited = replace(
        samples,
        classes=(*samples.classes, "hexagon"),
        labels=labels,
        excluded=np.ones(len(samples), dtype=bool),
        captions=("edited",) * len(samples),
    )
    again = with_snapshot(edited, folder)
    assert again.classes == begun.classes
    assert np.array_equal(again.labels, begun.labels)
    assert np.array_equal(again.pool, begun.pool)
    assert again.captions == begun.captions
