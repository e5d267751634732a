"""Predict an image with the model of a run, and find the training images that explain it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, softmax
from vecaf.arrays.neighbors import nearest_neighbors, top_k
from vecaf.datasets.pool import image_path
from vecaf.errors import InputError
from vecaf.evaluation.attribution.representer import positive_shares, representer_values
from vecaf.export.bundle import model_folder
from vecaf.inference.requests import HANDLERS, InferenceContext
from vecaf.runs.trained_model import TrainedModel, load_trained_model
from vecaf.store import Store, visible_sample
from vecaf.training.prediction import predict as run_model

MAX_SHOWN = 8  # training images per list
MAX_CLASSES = 10
CACHED_MODELS = 2  # in memory


@HANDLERS.register
def predict(
    context: InferenceContext,
    user: int,
    *,
    run_id: int,
    path: str | None = None,
    sample_id: int | None = None,
) -> dict[str, Any]:
    """Predict the classes of an image, and find the training images behind the prediction.

    Parameters
    ----------
    path
        An image file that the server has saved.
    sample_id
        Or a sample that the user can see.

    Returns
    -------
    {"classes": [{"name", "share"}], "nearest": [{"id", "similarity"}], "toward": [{"id",
    "share"}], "against": [{"id", "share"}], "training": number of compared training images,
    "trained_on_it": whether the model was trained on the image}. "toward" and "against" are the
    training images that contribute most for and against the top class, as shares of all positive
    contributions (see `vecaf.evaluation.attribution.representer`).

    Raises
    ------
    InputError
        The image is unreadable, or the run has no model.
    NotFoundError
        The run or the sample does not exist.
    """
    if (path is None) == (sample_id is None):
        raise InputError("Pass either an image file or an image of a dataset.")
    folder = model_folder(context.store, user, run_id)  # authorizes every request
    if sample_id is not None:
        with context.store.read() as session:
            sample = visible_sample(session, user, sample_id)
        file = image_path(context.store.settings.images, sample.sha256, sample.extension)
    else:
        file = Path(str(path))
    model = _load(context.store, user, run_id, folder)
    features, logits = run_model(model.predictor.model, [file], model.predictor.preprocessing)
    share = softmax(logits)[0]
    order = np.argsort(-share, kind="stable")[:MAX_CLASSES]
    own = np.flatnonzero(model.ids == (sample_id or 0))
    near, similarity = nearest_neighbors(
        model.features, features[0], MAX_SHOWN, exclude=int(own[0]) if len(own) else -1
    )
    contributions = representer_values(
        model.features, model.logits, model.labels, features[0], int(order[0]), model.smoothing
    )
    toward, against = (
        top_k(positive_shares(contributions), MAX_SHOWN),
        top_k(-contributions, MAX_SHOWN),
    )
    total = float(np.maximum(contributions, 0).sum()) or 1.0
    names = model.predictor.classes
    return {
        "classes": [{"name": names[i], "share": float(share[i])} for i in order],
        "nearest": _listed(model.ids[near], similarity, "similarity"),
        "toward": _listed(model.ids[toward], contributions[toward] / total, "share", above=0.001),
        "against": _listed(
            model.ids[against], -contributions[against] / total, "share", above=0.001
        ),
        "training": len(model.ids),
        "trained_on_it": sample_id in model.trained_ids,
    }


@HANDLERS.register
def open_model(context: InferenceContext, user: int, *, run_id: int) -> dict[str, Any]:
    """Load the model of a run before the first prediction, so that `predict` answers quickly.

    Raises InputError if the run has no model, NotFoundError if it does not exist.
    """
    folder = model_folder(context.store, user, run_id)
    return {"training": len(_load(context.store, user, run_id, folder).ids)}


def _listed(
    ids: NDArray[np.int64], values: Floats, name: str, above: float = -2.0
) -> list[dict[str, Any]]:
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return [{"id": id_, name: round(value, 4)} for id_, value in pairs if value > above]


@lru_cache(maxsize=CACHED_MODELS)
def _load(store: Store, user: int, run_id: int, folder: Path) -> TrainedModel:
    """Load a model. The cache never goes stale, because a finished run does not change."""
    return load_trained_model(store, user, run_id, folder)
