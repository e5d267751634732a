"""Embedding of decoded images, compared with a plain timm loop in bfloat16 and channels_last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import timm
import torch
from torch import nn

from benchmarks.gpu.roofline import Roofline, fastest, forward_operations, memory_of
from benchmarks.gpu.sizes import Measured, Sizes
from vecaf.encoders.backends import Features, PixelBatch
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.runtime import compile_encoder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def measure_embedding(device: torch.device, sizes: Sizes, roofline: Roofline) -> Iterator[Measured]:
    """Measure each model."""
    side = sizes.image_size
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (sizes.images, side, side, 3), dtype=np.uint8)
    batches = [pixels[start : start + sizes.batch] for start in range(0, len(pixels), sizes.batch)]
    wants = Preprocessing(side, MEAN, STD)
    for name in sizes.models:
        model = random_model(name, side)
        operations = forward_operations(model, torch.zeros(1, 3, side, side)) * len(pixels)
        runtime = compile_encoder(
            model,
            wants,
            device=str(device),
            precision="bfloat16",
            backend="cuda" if device.type == "cuda" else "eager",
            batch_size=sizes.batch,
        )

        def ours() -> None:
            for _ in runtime.run(batches):  # noqa: B023
                pass

        plain = PlainLoop(model, device)
        reference = fastest(lambda: plain(batches), device, sizes.repeats)  # noqa: B023
        transferred = pixels.nbytes + sum(value.nbytes for value in model.parameters())
        yield Measured(
            f"embed {len(pixels):,} images of {side} px, {name}",
            fastest(ours, device, sizes.repeats),
            ("timm", reference),
            roofline.seconds(operations, transferred),
            memory_of(ours, device),
        )


class PlainLoop:
    """What a careful user of timm writes: bfloat16, channels_last, pinned memory."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.device = device
        self.model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean, self.std = (
            255 * torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD)
        )

    def __call__(self, batches: list[PixelBatch]) -> list[Features]:
        found = []
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            for batch in batches:
                images = torch.from_numpy(batch).permute(0, 3, 1, 2)
                if self.device.type == "cuda":
                    images = images.pin_memory()
                images = images.to(self.device, non_blocking=True).float()
                normalized = (images - self.mean) / self.std
                found.append(self.model(normalized).float().cpu().numpy())
        return found


def random_model(name: str, image_size: int) -> Any:
    """Return a backbone with random weights, in evaluation mode."""
    torch.manual_seed(0)
    model: Any = timm.create_model(name, pretrained=False, num_classes=0, img_size=image_size)
    return model.eval()
