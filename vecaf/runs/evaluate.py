"""A run's model on a dataset, computed from the exported files alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.datasets.pool import Samples, load_samples
from vecaf.errors import InputError
from vecaf.evaluation import metrics
from vecaf.export.bundle import model_folder
from vecaf.export.predictor import Predictor
from vecaf.store import TEST, TRAIN, VAL, Dataset, Run, Store, dataset_named, visible

ALL = "all"


@dataclass(frozen=True)
class Evaluation:
    """What a model is worth on some labelled images; shares are 0 to 1.

    `confusion`: rows are true classes, columns predicted ones, in the order of `classes`.
    """

    images: int
    accuracy: float
    calibration_error: float
    class_accuracy: dict[str, float]
    classes: list[str]
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_run(
    store: Store,
    user_id: int,
    run_id: int,
    on: str = "",
    split: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, str, Evaluation]:
    """Evaluate a run's exported model: (dataset's name, split, evaluation).

    `on` names a dataset, by default the run's own. `split` is train, val, test or all; by default
    the test split of the run's own dataset, and all of another. Raises InputError.
    """
    folder = model_folder(store, user_id, run_id)
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        own = session.get_one(Dataset, run.dataset_id)
        dataset = dataset_named(session, user_id, on) if on else own
        samples = load_samples(session, dataset, store.settings.images)
    split = split or (TEST if dataset.id == own.id else ALL)
    if split not in (TRAIN, VAL, TEST, ALL):
        raise InputError(f"split is '{split}'; choose from {TRAIN}, {VAL}, {TEST} or {ALL}.")
    rows = np.arange(len(samples)) if split == ALL else samples.rows(split)
    device = store.settings.device
    result = evaluate_files(
        folder, samples, rows, today=own.classes, device=device, progress=progress
    )
    return dataset.name, split, result


def evaluate_files(
    folder: Path,
    samples: Samples,
    rows: NDArray[np.int64],
    *,
    today: Sequence[str],
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate the exported model in `folder` on the labelled ones of `rows` of `samples`.

    `today`: the classes of the dataset that it was trained on, see `labels_as_known`. Raises
    InputError for an image of a class that the model does not know, or for no labelled image.
    """
    predictor = Predictor.load(folder, device)
    rows = rows[samples.labels[rows] >= 0]
    if not len(rows):
        raise InputError("There are no labelled images to evaluate on. Choose another split.")
    labels = labels_as_known(samples, rows, predictor.classes, today)
    logits = predictor.logits([samples.paths[row] for row in rows], progress)
    matrix = metrics.confusion(logits, labels)
    totals = matrix.sum(axis=1)
    return Evaluation(
        images=len(rows),
        accuracy=metrics.accuracy(logits, labels) or 0.0,
        calibration_error=metrics.expected_calibration_error(logits, labels),
        class_accuracy={
            name: float(matrix[place, place] / totals[place])
            for place, name in enumerate(predictor.classes)
            if totals[place]
        },
        classes=list(predictor.classes),
        confusion=matrix.tolist(),
    )


def labels_as_known(
    samples: Samples, rows: NDArray[np.int64], known: Sequence[str], today: Sequence[str]
) -> NDArray[np.int64]:
    """What the labels of `rows` (n,), all with one, are among a model's classes `known`.

    Classes are matched by name. `today` is what the dataset that the model was trained on calls its
    classes now: one that was renamed since has kept its place, and one that was added is unknown.
    Raises InputError for an image of a class that the model does not know.
    """
    place = {name: index for index, name in enumerate(known)}
    place |= {name: i if i < len(known) else -1 for i, name in enumerate(today)}
    labels = np.array([place.get(name, -1) for name in samples.classes])[samples.labels[rows]]
    if (labels < 0).any():
        unknown = samples.classes[int(samples.labels[rows][labels < 0][0])]
        called = ", ".join([*today[: len(known)], *known[len(today) :]])
        raise InputError(
            f"The model does not know the class '{unknown}'. It knows: {called}. "
            + ("Finetune once more." if unknown in today else "Rename its classes to match.")
        )
    return labels
