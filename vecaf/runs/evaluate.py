"""Evaluate the exported model of a run on a dataset."""

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
    """The metrics of a model on labeled images, by name. Accuracies are between 0 and 1.

    `confusion` counts images by true class (rows) and predicted class (columns), in the order of
    `classes`.
    """

    images: int
    metrics: dict[str, float]
    class_accuracy: dict[str, float]
    classes: list[str]
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        shortcuts = {name: self.metrics[name] for name in ("accuracy", "calibration_error")}
        return asdict(self) | shortcuts


def evaluate_run(
    store: Store,
    user_id: int,
    run_id: int,
    on: str = "",
    split: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, str, Evaluation]:
    """Evaluate the exported model of a run.

    Parameters
    ----------
    on
        Name of a dataset. Default: the dataset of the run.
    split
        train, val, test, or all. Default: test on the dataset of the run, all on another one.

    Returns
    -------
    The name of the dataset, the split, and the evaluation.

    Raises
    ------
    InputError
        The run has no model, the split does not exist, or `evaluate_files` raises it.
    """
    folder = model_folder(store, user_id, run_id)
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        own = session.get_one(Dataset, run.dataset_id)
        dataset = dataset_named(session, user_id, on) if on else own
        samples = load_samples(session, dataset, store.settings.images)
    split = split or (TEST if dataset.id == own.id else ALL)
    if split not in (TRAIN, VAL, TEST, ALL):
        raise InputError(f"Unknown split '{split}'. Choose {TRAIN}, {VAL}, {TEST}, or {ALL}.")
    rows = np.arange(len(samples)) if split == ALL else samples.rows(split)
    device = store.settings.device
    result = evaluate_files(
        folder, samples, rows, current_classes=own.classes, device=device, progress=progress
    )
    return dataset.name, split, result


def evaluate_files(
    folder: Path,
    samples: Samples,
    rows: NDArray[np.int64],
    *,
    current_classes: Sequence[str],
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate the exported model in `folder` on the labeled images among `rows`.

    Parameters
    ----------
    current_classes
        The current class names of the dataset that the model was trained on, see `labels_of_model`.

    Raises
    ------
    InputError
        An image has a class that the model does not know, or no image has a label.
    """
    predictor = Predictor.load(folder, device)
    rows = rows[samples.labels[rows] >= 0]
    if not len(rows):
        raise InputError("No image of this split has a label. Choose another split.")
    labels = labels_of_model(samples, rows, predictor.classes, current_classes)
    logits = predictor.logits([samples.paths[row] for row in rows], progress)
    matrix = metrics.confusion(logits, labels)
    totals = matrix.sum(axis=1)
    return Evaluation(
        images=len(rows),
        metrics=metrics.measure(logits, labels),
        class_accuracy={
            name: float(matrix[index, index] / totals[index])
            for index, name in enumerate(predictor.classes)
            if totals[index]
        },
        classes=list(predictor.classes),
        confusion=matrix.tolist(),
    )


def labels_of_model(
    samples: Samples,
    rows: NDArray[np.int64],
    model_classes: Sequence[str],
    current_classes: Sequence[str],
) -> NDArray[np.int64]:
    """Convert the labels of `rows` (n,) to indices into the classes of a model, by name.

    Parameters
    ----------
    rows
        Rows with a label.
    model_classes
        Class names when the model was trained.
    current_classes
        Class names of its training dataset now. A renamed class keeps its index, and the model
        does not know classes that were added.

    Raises
    ------
    InputError
        An image has a class that the model does not know.
    """
    size = len(model_classes)
    index_of = {name: index for index, name in enumerate(model_classes)}
    index_of |= {name: i if i < size else -1 for i, name in enumerate(current_classes)}
    labels = np.array([index_of.get(name, -1) for name in samples.classes])[samples.labels[rows]]
    if (labels < 0).any():
        unknown = samples.classes[int(samples.labels[rows][labels < 0][0])]
        names = ", ".join([*current_classes[:size], *model_classes[len(current_classes) :]])
        added = unknown in current_classes
        raise InputError(
            f"The model does not know the class '{unknown}'. It knows: {names}. "
            + ("Finetune again to add the class." if added else "Rename the classes to match.")
        )
    return labels
