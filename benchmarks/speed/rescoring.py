"""Per-sample losses of the pool after a round.

In head-only mode they come from cached features (synthetic here); the reference is the matrix
product of features and weights. In full mode they need a pass over the images. The model gets new
weights before each pass, as in a run, which converts the model once. The reference is embedding the
same images (`cifar10` in VECAF_HOME).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.rows import samples_of
from benchmarks.speed.figures import Figure, alternating, parser_of
from vecaf.encoders.runtime import compile_encoder, encode_files
from vecaf.encoders.vision_models import load_pvm
from vecaf.encoders.weight_inputs import RepeatedConversion
from vecaf.evaluation.losses import cross_entropy, expected_cross_entropy
from vecaf.settings import Settings
from vecaf.training.head_training import HeadTraining
from vecaf.training.model import CenteredFeatures, Head, build_classifier
from vecaf.training.prediction import predict

MODEL, WIDTH, CLASSES, SIDE = "efficientnet_lite0", 1280, 10, 96


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("rescoring", __doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="pool size in head-only mode")
    parser.add_argument("--images", type=int, default=2000, help="number of images in full mode")
    options = parser.parse_args(arguments)
    yield _after_head_only(options)
    yield _after_full(options)


def _after_head_only(options: argparse.Namespace) -> Figure:
    rng = np.random.default_rng(0)
    centered = F.normalize(torch.from_numpy(rng.standard_normal((options.rows, WIDTH), np.float32)))
    labels = rng.integers(0, CLASSES, options.rows)
    where = np.arange(options.rows)
    head = Head(torch.zeros(WIDTH), CLASSES)
    torch.nn.init.normal_(head.linear.weight)
    context: Any = SimpleNamespace(features=CenteredFeatures(head.mean, centered))  # no dataset
    training = HeadTraining(context)
    training.head = head

    def losses() -> object:
        logits = training.logits(where)
        return expected_cross_entropy(logits), cross_entropy(logits, labels)

    def product() -> object:
        with torch.inference_mode():
            return centered @ head.linear.weight.T

    ours, floor = alternating(losses, product, repeats=options.repeats, timer=options.timer)
    name = f"losses of {options.rows:,} × {WIDTH} after a head-only round"
    return Figure(name, ours, ("their matrix product", floor), limit=1)


def _after_full(options: argparse.Namespace) -> Figure:
    samples = samples_of("cifar10", Settings.from_environment())
    paths = list(samples.paths[: options.images])
    pvm = load_pvm(MODEL, SIDE)
    model = build_classifier(pvm, Head(torch.zeros(WIDTH), CLASSES))
    runtime = compile_encoder(pvm.build(), pvm.preprocessing)
    convert = RepeatedConversion()

    def losses() -> object:
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(0.999)
        return predict(model, paths, pvm.preprocessing, convert=convert)

    losses()  # traces the model, as the first pass of a run does
    ours, floor = alternating(
        losses,
        lambda: list(encode_files(runtime, paths, pvm.preprocessing)),
        repeats=options.repeats,
        timer=options.timer,
    )
    name = f"losses of {len(paths):,} images after a full-mode round, with its new weights"
    return Figure(name, ours, ("embedding them", floor), within=1.2)
