"""Measure how long embedding, training, and selection take on this device, on a few images."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vecaf.tasks.task import TASKS, TaskContext

IMAGES = 64
STEPS = 3
POOL = 2000


@TASKS.register
def cost(
    context: TaskContext,
    model: str,
    image_size: int,
    mode: str,
    batch_size: int,
    strategy: str,
    device: str = "auto",
    lora_rank: int = 8,
    views: str = "plain",
) -> dict[str, Any]:
    """Time an embedding pass, training steps, and a selection.

    Returns
    -------
    The fields of `vecaf.training.cost.Speed`.

    Raises
    ------
    InputError, UnavailableError
        The dataset is empty, the model can't be loaded, or the device does not exist.
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

    samples = context.samples()
    if not len(samples):
        raise InputError("This dataset has no images. Import images to estimate the duration.")
    where = choose_device(context.store.settings.device if device == "auto" else device)
    context.stage("Loading the model")
    pvm = pvm_for(RunConfig(model=model, image_size=image_size, views=views), samples)
    spread = np.linspace(0, len(samples) - 1, min(IMAGES, len(samples))).astype(int)
    paths = [samples.paths[row] for row in spread]
    runtime = compile_encoder(pvm.build(), pvm.preprocessing, device=where)
    context.stage("Measuring embedding speed")
    list(encode_files(runtime, paths[:8], pvm.preprocessing))  # compiles the model
    passing = _time(lambda: list(encode_files(runtime, paths, pvm.preprocessing)))

    context.check()
    context.stage("Measuring training speed")
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

    context.check()
    context.stage("Measuring selection speed")
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
    """Time one optimizer step like those of `vecaf.training.trainer`, in seconds.

    Returns the fastest of a few steps, after one warm-up step.
    """
    import torch
    from torch.nn import functional as F

    from vecaf.training.model import freeze_batch_norm

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


def _time(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return max(1e-6, time.perf_counter() - started)


def _peak(device: str) -> int:
    """Return the peak memory of this process on the training device, in bytes."""
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_reserved(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
