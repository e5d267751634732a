"""A short measurement of what training with a model takes on this device, on a few real images."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vecaf.tasks.task import TASKS, Work

IMAGES = 64
STEPS = 3
POOL = 2000


@TASKS.register
def cost(
    work: Work,
    model: str,
    image_size: int,
    mode: str,
    batch_size: int,
    strategy: str,
    device: str = "auto",
    lora_rank: int = 8,
) -> dict[str, Any]:
    """Time one step, one pass of images and one selection; the result is a `Speed` as a mapping.

    Raises InputError or UnavailableError for a model or a device that can't be had.
    """
    import torch
    from torch.nn import functional as F

    import vecaf
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import pvm_for
    from vecaf.encoders.runtime import choose_device, compile_encoder, encode_files
    from vecaf.errors import InputError
    from vecaf.selection import STRATEGIES
    from vecaf.training.cost import Speed
    from vecaf.training.model import Head, build_classifier

    samples = work.samples()
    if not len(samples):
        raise InputError("The dataset has no images to measure with.")
    where = choose_device(work.store.settings.device if device == "auto" else device)
    work.stage("Loading the model")
    pvm = pvm_for(RunConfig(model=model, image_size=image_size), samples)
    spread = np.linspace(0, len(samples) - 1, min(IMAGES, len(samples))).astype(int)
    paths = [samples.paths[row] for row in spread]
    runtime = compile_encoder(pvm.build(), pvm.preprocessing, device=where)
    work.stage("Timing how fast images pass")
    list(encode_files(runtime, paths[:8], pvm.preprocessing))  # the first batch compiles
    passing = _time(lambda: list(encode_files(runtime, paths, pvm.preprocessing)))

    work.check()
    work.stage("Timing a training step")
    classes = max(2, len(samples.classes))
    dimension = pvm.feature_dim
    head = Head(torch.zeros(dimension), classes).to(where)
    rows = F.normalize(torch.randn(batch_size, dimension), dim=1).to(where)
    targets = torch.zeros(batch_size, dtype=torch.long, device=where)
    head_step = _step(head, rows, targets)
    full_step = 0.0
    if mode != "head-only":
        side = pvm.preprocessing.image_size
        classifier = build_classifier(pvm, head).to(where)
        if mode == "lora":
            from vecaf.training.lora import with_adapters

            classifier = with_adapters(classifier, lora_rank, seed=0)
        images = torch.randn(batch_size, 3, side, side).to(where)
        full_step = _step(classifier, images, targets)

    work.check()
    work.stage("Timing a selection")
    rng = np.random.default_rng(0)
    n = min(POOL, max(10, int((samples.splits == "train").sum())))
    features = rng.normal(size=(n, dimension)).astype(np.float32)
    offered = {
        "labels": np.full(n, -1),
        "losses": np.ones(n, np.float32),
        "probabilities": np.full((n, classes), 1 / classes, np.float32),
    }
    info = STRATEGIES[strategy].info
    given = {name: offered[name] for name in (*info.required, *info.optional) if name in offered}
    budget = max(1, n // 20)
    selecting = _time(lambda: vecaf.select(features, budget, strategy, **given))  # type: ignore[arg-type]
    return Speed(
        head_step=head_step,
        full_step=full_step,
        images_per_second=len(paths) / passing,
        select_per_thousand=selecting / n * 1000,
        memory_bytes=_peak(where),
        feature_dim=dimension,
    ).as_dict()


def _step(model: Any, inputs: Any, targets: Any) -> float:
    """Seconds of one optimizer step, done as training does it (`vecaf.training.trainer`): the best
    of a few, after one that warms up."""
    import torch
    from torch.nn import functional as F

    from vecaf.training.trainer import freeze_batch_norm

    if inputs.dim() == 4:
        model = model.to(memory_format=torch.channels_last)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    learning = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learning, fused=True)
    model.train()
    freeze_batch_norm(model)

    def step() -> None:
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=inputs.is_cuda):
            loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if inputs.is_cuda:
            torch.cuda.synchronize()

    step()
    return min(_time(step) for _ in range(STEPS))


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return max(1e-6, time.perf_counter() - started)


def _peak(device: str) -> int:
    """The most memory this process held, on the device that trains, in bytes."""
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_reserved(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
