"""Training steps: of a head compared with its matrix products, of a model with a plain loop.

The plain loop is a typical timm program: `create_transform` in a DataLoader, AdamW with default
settings, contiguous tensors. The studio does the same work and also crops, flips, layer-wise
learning rates, weight averaging and checkpoints. Both train on the same photos (`pacs_photo` in
VECAF_HOME); the head trains on synthetic features.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.rows import samples_of
from benchmarks.speed.embedding import Files
from benchmarks.speed.figures import Figure, alternating, parser_of
from vecaf.config import RunConfig
from vecaf.encoders.vision_models import load_pvm
from vecaf.settings import Settings
from vecaf.training.batches import LabeledFeatures, LabeledImages
from vecaf.training.model import Head, build_classifier
from vecaf.training.stages import Stage, train_head, train_model
from vecaf.training.thread_count import threads_for

MODEL, WIDTH, CLASSES, SIDE = "efficientnet_lite0", 1280, 10, 96


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("training", __doc__, repeats=2)
    parser.add_argument("--rows", type=int, default=5_000, help="training rows of the head")
    parser.add_argument(
        "--batches", type=int, nargs="*", default=[64, 1024], help="batch sizes of the head"
    )
    parser.add_argument("--images", type=int, default=128, help="training images of the model")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the DataLoader")
    options = parser.parse_args(arguments)
    for size in options.batches:
        yield _head(size, options)
    yield _full(options)


def _head(size: int, options: argparse.Namespace) -> Figure:
    rng = np.random.default_rng(0)
    rows = F.normalize(torch.from_numpy(rng.standard_normal((options.rows, WIDTH), np.float32)))
    labels = torch.from_numpy(rng.integers(0, CLASSES, options.rows))
    config = RunConfig(dataset="made up", epochs=20, batch_size=size, patience=0)
    steps = config.epochs * -(-options.rows // size)

    def ours() -> None:
        with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as folder:
            head = Head(torch.zeros(WIDTH), CLASSES)
            none = LabeledFeatures(rows[:0], labels[:0])
            train_head(head, LabeledFeatures(rows, labels), none, Stage(config, 0, Path(folder)))

    def products() -> None:
        weight = torch.zeros(CLASSES, WIDTH)
        order = torch.from_numpy(rng.permutation(options.rows))
        with threads_for(size * weight.numel()):  # as in the studio
            for step in range(steps):
                start = step * size % options.rows
                batch = rows.index_select(0, order[start : start + size])
                logits = weight @ batch.T  # for few classes, twice as fast as rows × classes
                _ = logits @ batch

    seconds, floor = alternating(ours, products, repeats=options.repeats, timer=options.timer)
    name = f"training step of a head, {size} × {WIDTH}"
    return Figure(name, seconds / steps, ("gathering and products", floor / steps), within=2)


def _full(options: argparse.Namespace) -> Figure:
    samples = samples_of("pacs_photo", Settings.from_environment())
    rows = np.random.default_rng(0).permutation(len(samples))[: options.images]
    images = LabeledImages(
        [samples.paths[row] for row in rows], np.maximum(samples.labels[rows], 0)
    )
    none = LabeledImages([], images.labels[:0])
    pvm = load_pvm(MODEL, SIDE)
    config = RunConfig(dataset="photos", mode="full", epochs=2, batch_size=32, patience=0)

    def ours() -> None:
        with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as folder:
            model = build_classifier(pvm, Head(torch.zeros(WIDTH), CLASSES))
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            train_model(model, images, none, pvm.preprocessing, Stage(config, 0, Path(folder)))

    seconds, plain = alternating(
        ours, _plain(pvm, images, config, options), repeats=options.repeats, timer=options.timer
    )
    seen = config.epochs * len(rows)
    name = f"full mode, {len(rows)} photos at {SIDE} px, per image"
    return Figure(name, seconds / seen, ("plain timm loop", plain / seen), faster=1.5)


def _plain(
    pvm: Any, images: LabeledImages, config: RunConfig, options: argparse.Namespace
) -> Callable[[], None]:
    from timm.data.transforms_factory import create_transform
    from torch.utils.data import DataLoader

    def create(size: Any, **wants: Any) -> Any:
        del wants["crop_pct"]
        return create_transform(size, is_training=True, auto_augment=None, **wants)

    files: Any = Files(images.paths, pvm.preprocessing, create, images.labels)

    def loop() -> None:
        model = pvm.build(CLASSES).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr)
        loader: Any = DataLoader(
            files, config.batch_size, shuffle=True, num_workers=options.workers
        )
        for _ in range(config.epochs):
            for batch, targets in loader:
                loss = F.cross_entropy(model(batch), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                loss.item()

    return loop
