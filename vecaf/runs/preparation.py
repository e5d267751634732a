"""Prepare a run: load models, embed the dataset, and set up the captions and the learner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from vecaf.arrays import Floats
from vecaf.augmentation.text_guidance import TextGuidance
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders import embed_images, set_facts
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.dataset_vlm import DatasetVLM
from vecaf.encoders.pvm import PVM
from vecaf.encoders.runtime import choose_device
from vecaf.runs.recording import Recorder
from vecaf.settings import Settings
from vecaf.training.context import TrainingContext
from vecaf.training.head_init import with_head_init
from vecaf.training.learner import Learner
from vecaf.training.model import CenteredFeatures
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.reporter import Monitor


def prepare(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    folder: Path,
    settings: Settings,
    trained_samples: Samples | None = None,
    ranks: Ranks = ALONE,
) -> tuple[Learner, TextGuidance]:
    """Embed the dataset, using the cache, and set up the learner and the text guidance of a run.

    With several processes, only the first one embeds, and only it has the features.

    Parameters
    ----------
    trained_samples
        If the weights in `folder` were trained before the dataset changed: the samples as they
        were then.
    ranks
        The processes that train together.

    Raises
    ------
    InputError, UnavailableError
        A model can't be loaded.
    CanceledError
        The recorder asked to stop.
    """
    settings = with_device(config, settings)
    device = choose_device(settings.device) if ranks.count == 1 else ranks.device
    monitor = embedding_monitor(recorder)
    ranks.from_first(recorder.stage, "Loading models")
    pvm = ranks.together(pvm_for, config, samples)
    config = with_head_init(config, samples, pvm.feature_dim)
    guidance = ranks.together(
        guidance_for, config, samples, pvm, settings, monitor, load_vlm=ranks.first
    )
    known = trained_samples or samples
    centered: CenteredFeatures | None = None

    def embed() -> Tensor:
        nonlocal centered
        features = _embed(pvm, samples, settings, monitor)
        recorder.embedded(*set_facts(pvm, settings))
        centered = CenteredFeatures.of(features, known.pool, device)
        return centered.mean

    mean = ranks.from_first(embed)
    features = centered or CenteredFeatures.without_rows(mean)
    context = TrainingContext(config, known, features, pvm, device, folder, monitor, ranks)
    return Learner(context), guidance


def _embed(pvm: PVM, samples: Samples, settings: Settings, monitor: Monitor) -> Floats:
    """Return the features (n, d) of all samples. Rows of unusable samples are zero."""
    rows = samples.usable
    embedded = embed_images(
        pvm,
        [samples.keys[row] for row in rows],
        samples.path_of,
        settings=settings,
        progress=monitor.progress,
        should_stop=monitor.should_stop,
    )
    if len(rows) == len(samples):
        return embedded
    features = np.zeros((len(samples), pvm.feature_dim), np.float32)
    features[rows] = embedded
    return features


def with_device(config: RunConfig, settings: Settings) -> Settings:
    """Return the settings with the device of the run, if it names one."""
    return settings if config.device == "auto" else replace(settings, device=config.device)


def embedding_monitor(recorder: Recorder) -> Monitor:
    """Return callbacks that report the embedding of images to `recorder`."""
    return Monitor(
        progress=lambda done, total: recorder.stage("Computing embeddings", done, total),
        should_stop=recorder.should_stop,
    )


def guidance_for(
    config: RunConfig,
    samples: Samples,
    pvm: PVM,
    settings: Settings,
    monitor: Monitor,
    cached_pulls: int = 1,
    load_vlm: bool = True,
) -> TextGuidance:
    """Set up the text guidance of a run: captions, class names, target domain, and the VLM.

    `cached_pulls` is the number of results to cache. With `load_vlm`, it raises InputError or
    UnavailableError if the run needs a VLM that can't be loaded.
    """
    encoder = DatasetVLM(config.vlm, samples, pvm, settings, monitor.progress, monitor.should_stop)
    if load_vlm and uses_text(config):
        _ = encoder.vlm  # fail before the images are embedded
    return TextGuidance(
        captions=samples.captions,
        classes=samples.classes,
        strength=config.caption_weight,
        trained=config.train_on_captions == "yes",
        encoder=encoder,
        target=config.target_words,
        cached_pulls=cached_pulls,
    )


def uses_text(config: RunConfig) -> bool:
    """Return whether the run needs a VLM: for captions, a target domain, or class names."""
    return bool(config.caption_weight or config.target_words or config.head_init == "text")
