"""What does a run's model make of this image, and which of its training images say so?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
import torch
from numpy.typing import NDArray

from vecaf.arrays import Floats
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, image_path, load_samples
from vecaf.datasets.snapshot import NAME as SNAPSHOT
from vecaf.datasets.snapshot import with_snapshot
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import embed_images
from vecaf.errors import InputError
from vecaf.evaluation.attribution.representer import positive_shares, representer_values
from vecaf.evaluation.metrics import probabilities
from vecaf.evaluation.neighbors import nearest_neighbors, top_k
from vecaf.export.bundle import model_folder
from vecaf.export.predictor import Predictor
from vecaf.inference.questions import ANSWERS, Desk
from vecaf.store import Dataset, Run, SelectedSample, Store, visible, visible_sample
from vecaf.training.prediction import predict as run_model

SHOWN = 8  # images of each kind
MOST_CLASSES = 10
MOST_TRAINING = 4000  # of a fully finetuned model: each has to be looked at once more
WARM = 2  # models kept in memory


@dataclass(frozen=True)
class Explained:
    """A run's model and the images it was trained on, as the model sees them.

    ids (n,), labels (n,); features (n, d), unit rows under the last layer; logits (n, classes).
    """

    predictor: Predictor
    smoothing: float
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    features: Floats
    logits: Floats
    picked: frozenset[int]  # all of them, those beyond MOST_TRAINING too


@ANSWERS.register
def predict(
    desk: Desk,
    user: int,
    *,
    run_id: int,
    path: str | None = None,
    sample_id: int | None = None,
) -> dict[str, Any]:
    """The most probable classes of an image, the training images nearest to it, and those that
    the answer rests on.

    The image is a file that the studio itself has put at `path`, or a sample that the user may
    see. {"classes": [{"name", "share"}], "nearest": [{"id", "similarity"}], "toward" and
    "against": [{"id", "share"}], "training": how many images were compared}.
    `vecaf.evaluation.attribution.representer` defines the shares; those against are shares of the
    same whole. Raises InputError for a broken image or a run without a model, NotFoundError.
    """
    if (path is None) == (sample_id is None):
        raise InputError("Predict an image file or one of the studio's images.")
    folder = model_folder(desk.store, user, run_id)  # the gate, at every question
    if sample_id is not None:
        with desk.store.read() as session:
            sample = visible_sample(session, user, sample_id)
        file = image_path(desk.store.settings.images, sample.sha256, sample.extension)
    else:
        file = Path(str(path))
    known = _opened(desk.store, user, run_id, folder)
    features, logits = run_model(known.predictor.model, [file], known.predictor.preprocessing)
    share = probabilities(logits)[0]
    order = np.argsort(-share, kind="stable")[:MOST_CLASSES]
    own = np.flatnonzero(known.ids == (sample_id or 0))
    near, similarity = nearest_neighbors(
        known.features, features[0], SHOWN, exclude=int(own[0]) if len(own) else -1
    )
    pulled = representer_values(
        known.features, known.logits, known.labels, features[0], int(order[0]), known.smoothing
    )
    toward, against = top_k(positive_shares(pulled), SHOWN), top_k(-pulled, SHOWN)
    whole = float(np.maximum(pulled, 0).sum()) or 1.0
    names = known.predictor.classes
    return {
        "classes": [{"name": names[i], "share": float(share[i])} for i in order],
        "nearest": _listed(known.ids[near], similarity, "similarity"),
        "toward": _listed(known.ids[toward], pulled[toward] / whole, "share", above=0.001),
        "against": _listed(known.ids[against], -pulled[against] / whole, "share", above=0.001),
        "training": len(known.ids),
        "trained_on_it": sample_id in known.picked,
    }


@ANSWERS.register
def open_model(desk: Desk, user: int, *, run_id: int) -> dict[str, Any]:
    """Load a run's model and what `predict` compares with, before the first image is asked about.

    Raises InputError for a run without a model, NotFoundError.
    """
    folder = model_folder(desk.store, user, run_id)
    return {"training": len(_opened(desk.store, user, run_id, folder).ids)}


def _listed(
    ids: NDArray[np.int64], values: Floats, name: str, above: float = -2.0
) -> list[dict[str, Any]]:
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return [{"id": id_, name: round(value, 4)} for id_, value in pairs if value > above]


@lru_cache(maxsize=WARM)
def _opened(store: Store, user: int, run_id: int, folder: Path) -> Explained:
    """A finished run never changes, so what is read once stays true."""
    with store.read() as session:
        run = visible(session, user, Run, run_id)
        dataset = visible(session, user, Dataset, run.dataset_id)
        samples = load_samples(session, dataset, store.settings.images)
        order = (SelectedSample.round, SelectedSample.rank)
        picked = session.scalars(
            sa.select(SelectedSample.sample_id)
            .where(SelectedSample.run_id == run_id)
            .order_by(*order)
        ).all()
    if (folder.parent / SNAPSHOT).exists():
        samples = with_snapshot(samples, folder.parent)
    config = RunConfig.from_dict(run.config)
    predictor = Predictor.load(folder, store.settings.device)
    compared = picked if config.mode == "head-only" else picked[:MOST_TRAINING]
    rows = np.searchsorted(samples.ids, np.array(compared, np.int64))
    features, logits = _as_seen(config, predictor, samples, rows, store)
    return Explained(
        predictor=predictor,
        smoothing=config.label_smoothing,
        ids=samples.ids[rows],
        labels=samples.labels[rows],
        features=features,
        logits=logits,
        picked=frozenset(picked),
    )


def _as_seen(
    config: RunConfig,
    predictor: Predictor,
    samples: Samples,
    rows: NDArray[np.int64],
    store: Store,
) -> tuple[Floats, Floats]:
    """Features (n, d) and logits (n, classes) of `rows`: from the embedding cache where only the
    head was trained, else by running the finetuned model on them."""
    if config.mode != "head-only":
        paths = [samples.paths[row] for row in rows]
        return run_model(predictor.model, paths, predictor.preprocessing)
    keys = [samples.keys[row] for row in rows]
    raw = embed_images(pvm_for(config, samples), keys, samples.path_of, settings=store.settings)
    head = predictor.model.head
    with torch.inference_mode():
        features = head.center(torch.from_numpy(raw).to(head.mean.device))
        logits = head(features)
    return features.cpu().numpy(), logits.cpu().numpy()
