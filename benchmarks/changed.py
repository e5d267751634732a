"""Features of corrupted or augmented images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vecaf.arrays import Floats
from vecaf.encoders.preprocessing import decode, pixels
from vecaf.encoders.pvm import PVM
from vecaf.encoders.runtime import compile_encoder

Change = Callable[[Image.Image, int], Image.Image]  # (image, index in the list) → image

AUGMENTATIONS = ("AugMix", "RandAugment")


def embed_changed(pvm: PVM, paths: Sequence[Path], change: Change) -> Floats:
    """Compute the backbone's raw features (n, d) of changed image files on the CPU."""

    def batches() -> Iterator[NDArray[np.uint8]]:
        with ThreadPoolExecutor(2, "change") as threads:
            for start in range(0, len(paths), runtime.batch_size):
                indices = range(start, min(start + runtime.batch_size, len(paths)))
                yield np.stack(list(threads.map(one, indices)))

    def one(index: int) -> NDArray[np.uint8]:
        return pixels(change(decode(paths[index]), index), pvm.preprocessing)

    runtime = compile_encoder(pvm.build(), pvm.preprocessing, device="cpu")
    return np.concatenate(list(runtime.run(batches())))


def augmentation(name: str, seed: int) -> Change:
    """Return torchvision's AugMix or RandAugment with default settings.

    Random draws depend only on the seed and the index of the image.

    References
    ----------
    Hendrycks et al., "AugMix", ICLR 2020. Cubuk et al., "RandAugment", 2020.
    """
    import torch
    from torchvision.transforms import v2

    transform = getattr(v2, name)()
    lock = Lock()  # the transforms use PyTorch's global generator, which all threads share

    def change(image: Image.Image, index: int) -> Image.Image:
        with lock, torch.random.fork_rng():
            torch.manual_seed(seed * 1_000_003 + index)
            changed: Image.Image = transform(image)
        return changed

    return change
