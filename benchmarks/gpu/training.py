"""Training steps of a whole model, compared with a plain timm loop in bfloat16."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from benchmarks.gpu.embedding import MEAN, STD, random_model
from benchmarks.gpu.roofline import Roofline, fastest, forward_operations, memory_of
from benchmarks.gpu.sizes import Measured, Sizes
from benchmarks.speed.embedding import Files
from vecaf.config import RunConfig
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.training.batches import LabeledImages
from vecaf.training.model import Classifier, Head
from vecaf.training.stages import Stage, train_model

CLASSES = 10
WORKERS = 8  # of the DataLoader


def measure_training(device: torch.device, sizes: Sizes, roofline: Roofline) -> Iterator[Measured]:
    """Measure each model on JPEG files: decoding, augmentation, forward, backward, AdamW."""
    side, count = sizes.image_size, sizes.training_batch * sizes.steps
    wants = Preprocessing(side, MEAN, STD)
    config = RunConfig(mode="full", epochs=1, batch_size=sizes.training_batch, patience=0)
    with tempfile.TemporaryDirectory(prefix="vecaf-gpu-") as folder:
        images = write_images(Path(folder), count, side)
        none = LabeledImages([], images.labels[:0])
        for name in sizes.models:
            backbone = random_model(name, side)
            operations = 3 * forward_operations(backbone, torch.zeros(1, 3, side, side))

            def ours() -> None:
                head = Head(torch.zeros(backbone.num_features), CLASSES)  # noqa: B023
                model = Classifier(random_model(name, side), head).to(device)  # noqa: B023
                model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                with tempfile.TemporaryDirectory(dir=folder) as kept:
                    train_model(model, images, none, wants, Stage(config, 0, Path(kept)))

            def plain() -> None:
                plain_training(random_model(name, side), images, wants, config, device)  # noqa: B023

            seconds = fastest(ours, device, sizes.repeats)
            reference = fastest(plain, device, sizes.repeats)
            yield Measured(
                f"train a step of {sizes.training_batch} images of {side} px, {name}",
                seconds / sizes.steps,
                ("timm", reference / sizes.steps),
                roofline.seconds(operations * sizes.training_batch),
                memory_of(ours, device),
            )


def write_images(folder: Path, count: int, side: int) -> LabeledImages:
    """Write random JPEG files with labels."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{index}.jpg" for index in range(count)]
    for path in paths:
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return LabeledImages(paths, np.arange(count, dtype=np.int64) % CLASSES)


def plain_training(
    backbone: Any,
    images: LabeledImages,
    wants: Preprocessing,
    config: RunConfig,
    device: torch.device,
) -> None:
    """Train as a careful user of timm does: bfloat16, channels_last, fused AdamW."""
    from timm.data.transforms_factory import create_transform
    from torch.utils.data import DataLoader

    def create(size: Any, **options: Any) -> Any:
        del options["crop_pct"]
        return create_transform(size, is_training=True, auto_augment=None, **options)

    files: Any = Files(images.paths, wants, create, images.labels)
    cuda = device.type == "cuda"
    model: Any = nn.Sequential(backbone, nn.Linear(int(backbone.num_features), CLASSES))
    model = model.to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, fused=True)
    loader: Any = DataLoader(
        files, config.batch_size, shuffle=True, num_workers=WORKERS if cuda else 0, pin_memory=cuda
    )
    for batch, targets in loader:
        inputs = batch.to(device, non_blocking=True, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
            loss = F.cross_entropy(model(inputs), targets.to(device, non_blocking=True))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
