"""Compare a pair of models, with and without a target domain, on clean and corrupted images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats
from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.evaluation.comparison import Difference, paired_over_images
from vecaf.evaluation.corruptions.imagenet_c import corrupt
from vecaf.wording import points

if TYPE_CHECKING:
    from vecaf.encoders.runtime import Runtime
    from vecaf.export.predictor import Predictor

Correct = NDArray[np.bool_]
THREADS = 8


@dataclass(frozen=True)
class LevelComparison:
    """Accuracies of two models on the same images, 0 to 1, and their difference shifted − plain.

    `severity` of the corruption is 1 to 5, or 0 for clean images. `low` and `high` bound the 95%
    confidence interval of the difference.
    """

    severity: int
    images: int
    plain: float
    shifted: float
    difference: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare_level(severity: int, plain: Correct, shifted: Correct) -> LevelComparison:
    """Compare two models by which of n ≥ 1 images they classify correctly, (n,) each."""
    found = paired_over_images(shifted, plain)
    assert found is not None, "there are images to compare on"
    return LevelComparison(
        severity,
        len(plain),
        float(plain.mean()),
        float(shifted.mean()),
        found.mean,
        found.low,
        found.high,
    )


def verdict(target: str, corrupted: Difference, where: str, same: bool) -> str:
    """Say in a sentence whether the target domain helped on shifted images.

    `where` names the shifted images, such as "on corrupted images". `same`: both models are equal.
    """
    if same:
        return (
            f"“{target}” had no effect: the run did not use this target domain, so both models "
            "are the same."
        )
    low, high = points(corrupted.low), points(corrupted.high)
    change = f"{points(corrupted.mean)} points, 95% interval {low} to {high}"
    if corrupted.low > 0:
        return f"Training with the target domain improved accuracy {where} ({change})."
    if corrupted.high < 0:
        return f"Training with the target domain reduced accuracy {where} ({change})."
    return f"Training with the target domain made no significant difference {where} ({change})."


def clean_verdict(clean: LevelComparison) -> str:
    """Say in a sentence what the target domain changed on clean images. It follows `verdict`."""
    change = f"{points(clean.difference)} points"
    if clean.high < 0:
        return f"It reduced accuracy on clean images ({change})."
    if clean.low > 0:
        return f"It improved accuracy on clean images ({change})."
    return f"It made no significant difference on clean images ({change})."


def pair_logits(
    models: Sequence[Predictor], one_backbone: bool, device: str
) -> Callable[[Iterator[NDArray[np.uint8]]], list[Floats]]:
    """Return a function that maps batches of pixels to the logits (n, classes) of every model.

    With `one_backbone` the models differ only in their heads, so images are embedded once.
    """
    import torch

    from vecaf.encoders.runtime import compile_encoder

    first = models[0]
    if not one_backbone:
        runtimes = [compile_encoder(one.model, one.preprocessing, device=device) for one in models]
        return lambda batches: _run_each(runtimes, batches)
    runtime = compile_encoder(first.model.backbone, first.preprocessing, device=device)

    def read(batches: Iterator[NDArray[np.uint8]]) -> list[Floats]:
        features = torch.from_numpy(np.concatenate(list(runtime.run(batches))))
        with torch.inference_mode():
            heads = [one.model.head.cpu() for one in models]
            return [np.asarray(head(head.center(features)).numpy()) for head in heads]

    return read


def _run_each(runtimes: Sequence[Runtime], batches: Iterator[NDArray[np.uint8]]) -> list[Floats]:
    """Run every runtime on the same batches, and concatenate the outputs of each."""
    found: list[list[Floats]] = [[] for _ in runtimes]
    for batch in batches:
        size = runtimes[0].batch_size
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            for kept, runtime in zip(found, runtimes, strict=True):
                kept.extend(runtime.run(iter([part])))
    return [np.concatenate(kept) for kept in found]


def corrupted_batches(
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    corruption: str,
    severity: int,
    progress: Callable[[int, int], None],
    size: int = 8,
) -> Iterator[NDArray[np.uint8]]:
    """Yield batches (b, s, s, 3) of images with a corruption; severity 0 is no corruption.

    `size` is the number of images per batch, at most the batch size of the runtime.
    """

    def load(path: Path) -> NDArray[np.uint8]:
        image = decode(path)
        return pixels(corrupt(image, corruption, severity) if severity else image, preprocessing)

    with ThreadPoolExecutor(THREADS, "corrupt") as threads:
        for start in range(0, len(paths), size):
            yield np.stack(list(threads.map(load, paths[start : start + size])))
            progress(min(start + size, len(paths)), len(paths))
