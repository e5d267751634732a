"""What a run needs before its first round: encoders, embeddings, captions, a fresh learner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from vecaf.arrays import Floats, Rows
from vecaf.augmentation.words import Words
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders import embed_images, set_facts
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.projection import Moves
from vecaf.encoders.pvm import PVM
from vecaf.encoders.runtime import choose_device
from vecaf.encoders.vlm import VLM, load_vlm
from vecaf.runs.recording import Recorder
from vecaf.settings import Settings
from vecaf.training.learner import LEARNERS, HeadLearner, Watch
from vecaf.training.model import Centred
from vecaf.training.ranks import ALONE, Ranks


def prepare(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    folder: Path,
    settings: Settings,
    begun: Samples | None = None,
    ranks: Ranks = ALONE,
) -> tuple[HeadLearner, Words]:
    """Embed the dataset (from the cache where possible) and set up the run's learner and words.

    `begun`: the samples as a model that is taken up from `folder` knew them, where they differ.
    `ranks`: the processes that train it.
    Raises InputError or UnavailableError for a model that can't be had, CanceledError on a stop.
    """
    settings = with_device(config, settings)
    device = choose_device(settings.device)
    watch = watch_of(recorder)
    recorder.stage("Loading the models")
    pvm = pvm_for(config, samples)
    words = words_for(config, samples, pvm, settings, watch, recorder.log)
    rows = samples.usable
    features = embed_images(
        pvm,
        [samples.keys[row] for row in rows],
        samples.path_of,
        settings=settings,
        progress=watch.progress,
        should_stop=watch.should_stop,
    )
    if len(rows) < len(samples):  # the others' rows are never read
        found, features = features, np.zeros((len(samples), pvm.feature_dim), np.float32)
        features[rows] = found
    recorder.embedded(*set_facts(pvm, settings))
    known = begun or samples
    centred = Centred.of(features, known.pool, device)
    learner = LEARNERS[config.mode](config, known, centred, pvm, device, folder, watch, ranks)
    return learner, words


def with_device(config: RunConfig, settings: Settings) -> Settings:
    """The settings with the run's own device, where it names one."""
    return settings if config.device == "auto" else replace(settings, device=config.device)


def watch_of(recorder: Recorder) -> Watch:
    """A long pass over images, told to `recorder`."""
    return Watch(
        progress=lambda done, total: recorder.stage("Looking at images", done, total),
        should_stop=recorder.should_stop,
    )


def words_for(
    config: RunConfig,
    samples: Samples,
    pvm: PVM,
    settings: Settings,
    watch: Watch,
    say: Callable[[str], None],
    remember: int = 1,
) -> Words:
    """The dataset's words, as the configured VLM embeds them; `say` is told what they do.

    Raises InputError or UnavailableError for a VLM that is asked for and can't be had.
    """
    vlm = cache(lambda: vlm_for(config, pvm, settings))
    if has_words(config):
        vlm()  # a model that can't be had should be said before anything is embedded

    def embed_rows(rows: Rows) -> Floats:
        keys = [samples.keys[row] for row in rows]
        return vlm().embed_images(
            keys,
            samples.path_of,
            settings=settings,
            progress=watch.progress,
            should_stop=watch.should_stop,
        )

    return Words(
        own=samples.captions,
        classes=samples.classes,
        strength=config.text_pull,
        embed_texts=lambda texts: vlm().embed_texts(texts),
        embed_rows=embed_rows,
        target=config.target_words,
        say=say,
        remember=remember,
        learned=lambda difference: moves_in(pvm, vlm(), difference),
    )


def moves_in(pvm: PVM, vlm: VLM, difference: Floats) -> Moves | None:
    """What a difference of texts does to the features of `pvm`, where the VLM knows it."""
    known = vlm.moves is not None and vlm.image_encoder == pvm
    return vlm.moves(difference) if known and vlm.moves else None


def has_words(config: RunConfig) -> bool:
    """Whether text has a say in the run, so that it needs a VLM."""
    return bool(config.text_pull or config.target_words or config.head_init == "text")


def vlm_for(config: RunConfig, pvm: PVM, settings: Settings) -> VLM:
    """The configured VLM, at the image size of `pvm` where its size can be chosen."""
    return load_vlm(
        config.vlm,
        image_size=pvm.preprocessing.image_size,
        device=choose_device(settings.device),
        cache=settings.embeddings,
    )
