"""Where target words point on a dataset, before anything is trained.

`preview.json` in the task's folder: {strength, names, labels, views: {name: {points, from, to,
stretch}}}, some of the pool's points (their class in `labels`, −1 for one without an arrow), and an
arrow a class, drawn `stretch` times as long as it is.
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
from vecaf.tasks.task import TASKS, Work

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples

PREVIEW = "preview.json"
POINTS = 3000  # of the map
CLASSES = 24  # that get an arrow: those with the most images
NEAREST = 6  # images shown for each
LEGIBLE, STRETCHES = 0.2, (1, 2, 5, 10, 20)  # of the points' extent; how often an arrow's length
JUDGED = 2000  # labelled images, at most, that β is tried on
NEIGHBOURS = 15  # that say where a row lies on UMAP

View = tuple[Floats, Floats, Floats]  # points (n, 2), an arrow's start and end for each class


@TASKS.register
def shift_preview(
    work: Work,
    words: str,
    revision: int,
    model: str = "efficientnet_lite0",
    vlm: str = "embedded",
    image_size: int = 0,
) -> dict[str, Any]:
    """Where words point: β and why, an arrow a class, and the images nearest to where it leads.

    `revision`: the dataset's, for the answer depends on its labels and captions. Labels of the
    test split are not looked at. A run decides on β again, from the images that it has picked.
    """
    from vecaf.arrays import unit_rows
    from vecaf.augmentation.source_domain import SourceDomain, moved
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import embed_samples, pvm_for
    from vecaf.evaluation.map_layout import fit_basis
    from vecaf.runs.preparation import prepare
    from vecaf.runs.recording import MemoryRecorder

    def stage(text: str, done: int, total: int) -> None:
        work.check()
        work.stage(text, done, total)

    samples, settings = work.samples(), work.store.settings
    pool = samples.pool
    if not len(pool):
        raise InputError("This dataset has no image in its pool, so words have nothing to move.")
    if not samples.classes:
        raise InputError(
            "This dataset has no classes yet, so there is nothing for words to move. Add its "
            "classes first, on the Label page."
        )
    config = RunConfig(model=model, vlm=vlm, image_size=image_size, target_words=words).checked()
    recorder = MemoryRecorder(on_stage=stage)
    learner, guidance = prepare(config, samples, recorder, work.folder, settings)
    stage("Following the words", 0, 0)
    every = learner.context.pretrained(np.arange(len(samples)))
    labels = samples.labels
    seen = np.random.default_rng(0).permutation(pool[labels[pool] >= 0])[:JUDGED]
    val = samples.rows(VAL)
    val = val[labels[val] >= 0]
    source = SourceDomain(every[seen], labels[seen], every[val], labels[val])
    shift = guidance.shift(every[pool], pool, source)
    strength = shift.strength or 1.0  # shown where the words point, also where no run would go

    taken = guidance.classes_of(pool, labels[pool])
    counts = np.bincount(taken, minlength=len(samples.classes))
    shown = [int(c) for c in np.argsort(-counts, kind="stable")[:CLASSES] if counts[c]]
    groups = {c: pool[taken == c] for c in shown}
    step = shift.step(strength)
    ends = np.stack([moved(every[rows], step).mean(axis=0) for rows in groups.values()])
    near = np.argsort(-(ends @ every.T), axis=1, kind="stable")[:, :NEAREST]

    stage("Drawing the map", 0, 0)
    raw = unit_rows(
        embed_samples(
            pvm_for(config, samples), samples, settings, work.progress("Looking at images")
        )[0]
    )
    basis = fit_basis(raw)
    mean = learner.context.features.mean.cpu().numpy()
    length = np.linalg.norm(raw - mean, axis=1, keepdims=True)
    places = basis.project(raw)
    before = np.stack([places[rows].mean(axis=0) for rows in groups.values()])
    after = np.stack(
        [
            basis.project(mean + length[rows] * moved(every[rows], step)).mean(axis=0)
            for rows in groups.values()
        ]
    )
    views = {"Principal plane": (places[:, :2], before[:, :2], after[:, :2])}
    views |= _umap(work, samples, places, before, after)
    drawn = _map(views, pool, taken, shown) | {
        "strength": strength,
        "names": [samples.classes[c] for c in shown],
    }
    write_bytes(work.folder / PREVIEW, json.dumps(drawn).encode())
    return {
        "strength": shift.strength,
        "reach": shift.reach,
        "agreement": shift.agreement,
        "learned": shift.learned is not None,
        "reason": shift.reason,
        "classes": [
            {"name": samples.classes[c], "images": int(counts[c]), "nearest": ids.tolist()}
            for c, ids in zip(shown, samples.ids[near], strict=True)
        ],
    }


def _map(views: Mapping[str, View], pool: Rows, taken: Rows, shown: list[int]) -> dict[str, Any]:
    """Some of the pool's points with their classes' places in `shown`, and every arrow."""
    some = np.sort(np.random.default_rng(0).permutation(len(pool))[:POINTS])
    place = {c: index for index, c in enumerate(shown)}
    return {
        "labels": [place.get(c, -1) for c in taken[some].tolist()],
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
    """How many times as long arrows (k, 2) are drawn, so that the longest can be seen among the
    points (n, 2): most of a move leaves a plane."""
    room = LEGIBLE * float(np.ptp(points, axis=0).max())
    longest = float(np.linalg.norm(arrows, axis=1).max())
    return max((times for times in STRETCHES if times * longest <= room), default=1)


def _umap(
    work: Work, samples: Samples, places: Floats, before: Floats, after: Floats
) -> dict[str, View]:
    """The same on the dataset's UMAP, where a `map` task has laid it out for these images."""
    from vecaf.arrays import unit_rows
    from vecaf.evaluation.map_layout import place_rows

    with work.store.read() as session:
        task = latest_task(session, work.user_id, work.dataset_id, "map")
    path = work.store.settings.tasks / str(task.id if task else 0) / "umap.npy"
    if not path.exists():
        return {}
    positions = np.load(path, allow_pickle=False)
    if len(positions) != len(samples):
        return {}
    space = unit_rows(places)

    def nearest(rows: Floats) -> tuple[Rows, Floats]:
        distance = 1 - unit_rows(rows) @ space.T
        at = np.argsort(distance, axis=1)[:, :NEIGHBOURS]
        return at, np.take_along_axis(distance, at, axis=1)

    ends = (place_rows(before, positions, nearest), place_rows(after, positions, nearest))
    return {"UMAP": (positions, *ends)}
