"""Two models side by side on clean, corrupted and foreign images, and what that says in words."""

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

if TYPE_CHECKING:
    from vecaf.encoders.runtime import Runtime
    from vecaf.export.predictor import Predictor

Right = NDArray[np.bool_]
THREADS = 8


@dataclass(frozen=True)
class Level:
    """Two models on the same images: accuracies, 0 to 1, and their difference (shifted − plain)."""

    severity: int  # 0: as they are
    images: int
    plain: float
    shifted: float
    difference: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def level(severity: int, plain: Right, shifted: Right) -> Level:
    """Compare which images (n,) each model gets right; n is at least 1."""
    found = paired_over_images(shifted, plain)
    assert found is not None, "there are images to compare on"
    return Level(
        severity,
        len(plain),
        float(plain.mean()),
        float(shifted.mean()),
        found.mean,
        found.low,
        found.high,
    )


def verdict(words: str, clean: Level, corrupted: Difference, where: str, same: bool) -> str:
    """What a pair's result means, as a sentence or two; `where` names the shifted images."""
    if same:
        return (
            f"“{words}” moved nothing: the run found no strength at which these words are useful, "
            "so both models are the same."
        )
    points = f"{100 * corrupted.mean:+.1f} points, 95% interval {_range(corrupted)}"
    if corrupted.low > 0:
        first = f"In this pair the words help: with them the model does better {where} ({points})."
    elif corrupted.high < 0:
        first = f"In this pair the words do harm: it does worse with them {where} ({points})."
    else:
        first = f"The words did not help: the difference {where} is within chance ({points})."
    if clean.high < 0:
        return f"{first} On clean images they cost {-100 * clean.difference:.1f} points."
    if clean.low > 0:
        return f"{first} On clean images they gain {100 * clean.difference:.1f} points."
    return f"{first} Clean images stay as they were, within chance ({100 * clean.difference:+.1f})."


def pair_logits(
    models: Sequence[Predictor], one_backbone: bool, device: str
) -> Callable[[Iterator[NDArray[np.uint8]]], list[Floats]]:
    """A function from batches of pixels to every model's logits (n, classes).

    With `one_backbone` the models differ in their heads alone: images are embedded once and all
    heads read the same features.
    """
    import torch

    from vecaf.encoders.runtime import compile_encoder

    first = models[0]
    if not one_backbone:
        runtimes = [compile_encoder(one.model, one.preprocessing, device=device) for one in models]
        return lambda batches: _each(runtimes, batches)
    runtime = compile_encoder(first.model.backbone, first.preprocessing, device=device)

    def read(batches: Iterator[NDArray[np.uint8]]) -> list[Floats]:
        features = torch.from_numpy(np.concatenate(list(runtime.run(batches))))
        with torch.inference_mode():
            heads = [one.model.head.cpu() for one in models]
            return [np.asarray(head(head.center(features)).numpy()) for head in heads]

    return read


def _each(runtimes: Sequence[Runtime], batches: Iterator[NDArray[np.uint8]]) -> list[Floats]:
    """Every runtime on the same batches, a batch at a time."""
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
    """Batches (b, s, s, 3) of image files under a corruption; severity 0 leaves them as they are.

    `size`: at most the runtime's batch size.
    """

    def load(path: Path) -> NDArray[np.uint8]:
        image = decode(path)
        return pixels(corrupt(image, corruption, severity) if severity else image, preprocessing)

    with ThreadPoolExecutor(THREADS, "corrupt") as threads:
        for start in range(0, len(paths), size):
            yield np.stack(list(threads.map(load, paths[start : start + size])))
            progress(min(start + size, len(paths)), len(paths))


def _range(found: Difference) -> str:
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
