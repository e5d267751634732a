"""Preview how a target domain moves the classes of a dataset, before training.

The task writes `preview.json`: {strength, names, numbers, labels, views: {name: {points, from, to,
stretch}}}. It holds a sample of the pool's points, with their class in `labels` (−1 for a class
without an arrow), and one arrow per class, drawn `stretch` times its length.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vecaf.arrays import Floats, Rows
from vecaf.errors import InputError
from vecaf.files import write_bytes
from vecaf.store import VAL
from vecaf.store.tasks import latest_task
from vecaf.tasks.task import TASKS, TaskContext
from vecaf.tasks.unreadable import without_unreadable

if TYPE_CHECKING:
    from vecaf.config import RunConfig
    from vecaf.datasets.pool import Samples

PREVIEW = "preview.json"
MAX_POINTS = 3000
MAX_ARROWS = 24  # for the classes with the most images
NEAREST_IMAGES = 6  # per class
MAX_ARROW_LENGTH = 0.2  # of the extent of the points
STRETCHES = (1, 2, 5, 10, 20)
MAX_JUDGED = 2000  # labeled images for choosing β
NEIGHBORS = 15  # for placing a row on the UMAP

Arrows = tuple[Floats, Floats, Floats]
"""Points (n, 2), and the start (k, 2) and end (k, 2) of the arrow of each class."""


@TASKS.register
def shift_preview(
    context: TaskContext,
    words: str,
    revision: int,
    model: str = "efficientnet_lite0",
    vlm: str = "embedded",
    image_size: int = 0,
) -> dict[str, Any]:
    """Compute the strength β of a target domain, and where it moves each class.

    The task does not read labels of the test split. A run chooses β again, from the images that it
    selects.

    Parameters
    ----------
    words
        Description of the target domain.
    revision
        Revision of the dataset: after a change of labels or captions, this is a new task.

    Returns
    -------
    β, the reason for it, and for each class the images closest to its features after the shift.
    """
    from vecaf.config import RunConfig

    every = context.samples()
    config = RunConfig(model=model, vlm=vlm, image_size=image_size, target_words=words).checked()

    def work(lost: Rows) -> dict[str, Any]:
        kept = np.delete(np.arange(len(every)), lost)
        return _compute(context, config, every.take(kept), kept, len(every))

    return without_unreadable(every, work)


def _compute(
    context: TaskContext, config: RunConfig, samples: Samples, kept: Rows, n: int
) -> dict[str, Any]:
    """Compute the preview from the samples at the positions `kept` of all n."""
    from vecaf.arrays import unit_rows
    from vecaf.arrays.principal_components import fit_basis
    from vecaf.augmentation.source_domain import SourceDomain, moved
    from vecaf.encoders.dataset_features import embed_samples, pvm_for
    from vecaf.runs.preparation import prepare
    from vecaf.runs.recording import MemoryRecorder

    def stage(text: str, done: int, total: int) -> None:
        context.check()
        context.stage(text, done, total)

    settings = context.store.settings
    pool = samples.pool
    if not len(pool):
        raise InputError("This dataset has no images in its pool. Add images to its train split.")
    if not samples.classes:
        raise InputError(
            "This dataset has no classes yet. A shift preview shows how each class moves. Add "
            "classes on the Classes tab of the dataset."
        )
    recorder = MemoryRecorder(on_stage=stage)
    learner, guidance = prepare(config, samples, recorder, context.folder, settings)
    stage("Computing the shift", 0, 0)
    every = learner.context.pretrained(np.arange(len(samples)))
    labels = samples.labels
    judged = np.random.default_rng(0).permutation(pool[labels[pool] >= 0])[:MAX_JUDGED]
    val = samples.rows(VAL)
    val = val[labels[val] >= 0]
    source = SourceDomain(every[judged], labels[judged], every[val], labels[val])
    shift = guidance.shift(every[pool], pool, source)
    strength = shift.strength or 1.0  # also show the direction if a run would not use it

    assigned = guidance.classes_of(pool, labels[pool])
    counts = np.bincount(assigned, minlength=len(samples.classes))
    labeled = np.bincount(labels[pool][labels[pool] >= 0], minlength=len(samples.classes))
    shown = [int(c) for c in np.argsort(-counts, kind="stable")[:MAX_ARROWS] if counts[c]]
    groups = {c: pool[assigned == c] for c in shown}
    step = shift.step(strength)
    ends = np.stack([moved(every[rows], step).mean(axis=0) for rows in groups.values()])
    near = np.argsort(-(ends @ every.T), axis=1, kind="stable")[:, :NEAREST_IMAGES]

    stage("Computing the map", 0, 0)
    raw = unit_rows(
        embed_samples(
            pvm_for(config, samples), samples, settings, context.progress("Computing embeddings")
        )[0]
    )
    basis = fit_basis(raw)
    mean = learner.context.features.mean.cpu().numpy()
    length = np.linalg.norm(raw - mean, axis=1, keepdims=True)
    coordinates = basis.project(raw)
    before = np.stack([coordinates[rows].mean(axis=0) for rows in groups.values()])
    after = np.stack(
        [
            basis.project(mean + length[rows] * moved(every[rows], step)).mean(axis=0)
            for rows in groups.values()
        ]
    )
    views = {"PCA": (coordinates[:, :2], before[:, :2], after[:, :2])}
    views |= _umap(context, kept, n, coordinates, before, after)
    preview = _preview(views, pool, assigned, shown) | {
        "strength": strength,
        "names": [samples.classes[c] for c in shown],
        "numbers": [int(c) for c in shown],
    }
    write_bytes(context.folder / PREVIEW, json.dumps(preview).encode())
    return {
        "strength": shift.strength,
        "reach": shift.reach,
        "agreement": shift.agreement,
        "learned": shift.learned is not None,
        "reason": shift.reason,
        "classes": [
            {
                "name": samples.classes[c],
                "images": int(counts[c]),
                "labeled": int(labeled[c]),
                "nearest": ids.tolist(),
            }
            for c, ids in zip(shown, samples.ids[near], strict=True)
        ],
    }


def _preview(
    views: Mapping[str, Arrows], pool: Rows, assigned: Rows, shown: list[int]
) -> dict[str, Any]:
    """Return a sample of the pool's points, their classes as indices of `shown`, and the arrows."""
    some = np.sort(np.random.default_rng(0).permutation(len(pool))[:MAX_POINTS])
    index_of = {c: index for index, c in enumerate(shown)}
    return {
        "labels": [index_of.get(c, -1) for c in assigned[some].tolist()],
        "views": {
            name: {
                "points": np.round(points[pool[some]].astype(float), 4).tolist(),
                "from": np.round(start.astype(float), 4).tolist(),
                "to": np.round((start + times * (end - start)).astype(float), 4).tolist(),
                "stretch": times,
            }
            for name, (points, start, end) in views.items()
            for times in [_stretch(points, end - start)]
        },
    }


def _stretch(points: Floats, arrows: Floats) -> int:
    """Choose a factor for the length of arrows (k, 2), so that they are visible among the points.

    In the plane, arrows are short: most of a shift is perpendicular to it.
    """
    room = MAX_ARROW_LENGTH * float(np.ptp(points, axis=0).max())
    longest = float(np.linalg.norm(arrows, axis=1).max())
    return max((times for times in STRETCHES if times * longest <= room), default=1)


def _umap(
    context: TaskContext, kept: Rows, n: int, coordinates: Floats, before: Floats, after: Floats
) -> dict[str, Arrows]:
    """Return the arrows on the UMAP of the dataset, if a `map` task has computed it."""
    from vecaf.arrays import unit_rows
    from vecaf.evaluation.map_layout import place_rows

    with context.store.read() as session:
        task = latest_task(session, context.user_id, context.dataset_id, "map")
    path = context.store.settings.tasks / str(task.id if task else 0) / "umap.npy"
    if not path.exists():
        return {}
    positions = np.load(path, allow_pickle=False)
    if len(positions) != n:
        return {}
    positions = positions[kept]
    space = unit_rows(coordinates)

    def nearest(rows: Floats) -> tuple[Rows, Floats]:
        distance = 1 - unit_rows(rows) @ space.T
        at = np.argsort(distance, axis=1)[:, :NEIGHBORS]
        return at, np.take_along_axis(distance, at, axis=1)

    ends = (place_rows(before, positions, nearest), place_rows(after, positions, nearest))
    return {"UMAP": (positions, *ends)}
