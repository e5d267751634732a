"""What a run needs before its first round: encoders, embeddings, captions, a fresh learner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

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
    begun: Samples | None = None,
    ranks: Ranks = ALONE,
) -> tuple[Learner, TextGuidance]:
    """Embed the dataset (from the cache where possible) and set up the run's learner and words.

    `begun`: the samples as a model that is taken up from `folder` knew them, where they differ.
    `ranks`: the processes that train it.
    Raises InputError or UnavailableError for a model that can't be had, CanceledError on a stop.
    """
    settings = with_device(config, settings)
    device = choose_device(settings.device)
    monitor = monitor_of(recorder)
    recorder.stage("Loading the models")
    pvm = pvm_for(config, samples)
    guidance = guidance_for(config, samples, pvm, settings, monitor)
    rows = samples.usable
    features = embed_images(
        pvm,
        [samples.keys[row] for row in rows],
        samples.path_of,
        settings=settings,
        progress=monitor.progress,
        should_stop=monitor.should_stop,
    )
    if len(rows) < len(samples):  # the others' rows are never read
        found, features = features, np.zeros((len(samples), pvm.feature_dim), np.float32)
        features[rows] = found
    recorder.embedded(*set_facts(pvm, settings))
    known = begun or samples
    centered = CenteredFeatures.of(features, known.pool, device)
    context = TrainingContext(config, known, centered, pvm, device, folder, monitor, ranks)
    return Learner(context), guidance


def with_device(config: RunConfig, settings: Settings) -> Settings:
    """The settings with the run's own device, where it names one."""
    return settings if config.device == "auto" else replace(settings, device=config.device)


def monitor_of(recorder: Recorder) -> Monitor:
    """Return a monitor of long passes over images that reports to `recorder`."""
    return Monitor(
        progress=lambda done, total: recorder.stage("Looking at images", done, total),
        should_stop=recorder.should_stop,
    )


def guidance_for(
    config: RunConfig,
    samples: Samples,
    pvm: PVM,
    settings: Settings,
    monitor: Monitor,
    cached_pulls: int = 1,
) -> TextGuidance:
    """Return the text guidance of a run: captions, classes, target words, and the VLM.

    Raises InputError or UnavailableError if the run needs a VLM that isn't available.
    """
    encoder = DatasetVLM(config.vlm, samples, pvm, settings, monitor.progress, monitor.should_stop)
    if uses_text(config):
        _ = encoder.vlm  # report an unavailable model before embedding anything
    return TextGuidance(
        captions=samples.captions,
        classes=samples.classes,
        strength=config.text_pull,
        encoder=encoder,
        target=config.target_words,
        cached_pulls=cached_pulls,
    )


def uses_text(config: RunConfig) -> bool:
    """Return whether the run needs a VLM."""
    return bool(config.text_pull or config.target_words or config.head_init == "text")
