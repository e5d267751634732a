"""The model of a finished run, with its training images as the model sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
import torch
from numpy.typing import NDArray

from vecaf.arrays import Floats
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.datasets.snapshot import NAME as SNAPSHOT
from vecaf.datasets.snapshot import with_snapshot
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import embed_images
from vecaf.export.predictor import Predictor
from vecaf.store import VAL, Dataset, Run, SelectedSample, Store, visible
from vecaf.training.prediction import predict as run_model

MAX_TRAINING = 4000  # training images to compare with, because a finetuned model embeds each again


@dataclass(frozen=True)
class TrainedModel:
    """The model of a run, with its training images as the model sees them.

    Attributes
    ----------
    smoothing
        Label smoothing of the training.
    ids, labels
        (n,), of the training images.
    features
        (n, d), unit rows: the input of the last layer.
    logits
        (n, classes).
    trained_ids
        Ids of all training images, including those beyond MAX_TRAINING.
    """

    predictor: Predictor
    smoothing: float
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    features: Floats
    logits: Floats
    trained_ids: frozenset[int]


def load_trained_model(store: Store, user: int, run_id: int, folder: Path) -> TrainedModel:
    """Load the model in `folder`, which `vecaf.export.bundle.model_folder` returns.

    Raises
    ------
    InputError
        A file of the model is missing or damaged.
    NotFoundError
        The user can't see the run.
    """
    with store.read() as session:
        order = (SelectedSample.round, SelectedSample.rank)
        query = sa.select(SelectedSample.sample_id).where(SelectedSample.run_id == run_id)
        trained = session.scalars(query.order_by(*order)).all()
    config, samples = _config_and_samples(store, user, run_id, folder)
    predictor = Predictor.load(folder, store.settings.device)
    compared = trained if config.mode == "head-only" else trained[:MAX_TRAINING]
    rows = np.searchsorted(samples.ids, np.array(compared, np.int64))
    features, logits = _embed(config, predictor, samples, rows, store)
    return TrainedModel(
        predictor=predictor,
        smoothing=config.label_smoothing,
        ids=samples.ids[rows],
        labels=samples.labels[rows],
        features=features,
        logits=logits,
        trained_ids=frozenset(trained),
    )


def held_out_features(
    store: Store, user: int, run_id: int, folder: Path, predictor: Predictor, limit: int
) -> Floats:
    """Compute the features (m, d) of at most `limit` validation images, evenly spaced."""
    config, samples = _config_and_samples(store, user, run_id, folder)
    rows = samples.rows(VAL)
    rows = rows[np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)]
    return _embed(config, predictor, samples, rows, store)[0]


def _config_and_samples(
    store: Store, user: int, run_id: int, folder: Path
) -> tuple[RunConfig, Samples]:
    with store.read() as session:
        run = visible(session, user, Run, run_id)
        dataset = visible(session, user, Dataset, run.dataset_id)
        samples = load_samples(session, dataset, store.settings.images)
    if (folder.parent / SNAPSHOT).exists():
        samples = with_snapshot(samples, folder.parent)
    return RunConfig.from_dict(run.config), samples


def _embed(
    config: RunConfig,
    predictor: Predictor,
    samples: Samples,
    rows: NDArray[np.int64],
    store: Store,
) -> tuple[Floats, Floats]:
    """Compute features (n, d) and logits (n, classes) of `rows` under the model.

    In head-only mode the features come from the embedding cache.
    """
    if config.mode != "head-only":
        paths = [samples.paths[row] for row in rows]
        return run_model(predictor.model, paths, predictor.preprocessing)
    keys = [samples.keys[row] for row in rows]
    # An earlier version may have chosen another image size for these images.
    pvm = pvm_for(config, samples).at_size(predictor.preprocessing.image_size)
    raw = embed_images(pvm, keys, samples.path_of, settings=store.settings)
    head = predictor.model.head
    with torch.inference_mode():
        features = head.center(torch.from_numpy(raw).to(head.mean.device))
        logits = head(features)
    return features.cpu().numpy(), logits.cpu().numpy()
