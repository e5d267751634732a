"""Features of images that were changed first: corrupted, or augmented as a training would."""

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

Change = Callable[[Image.Image, int], Image.Image]  # an image and its place in the list

AUGMENTATIONS = ("AugMix", "RandAugment")


def embedded(pvm: PVM, paths: Sequence[Path], change: Change) -> Floats:
    """The PVM's raw features (n, d) of image files after `change`, on the CPU."""

    def batches() -> Iterator[NDArray[np.uint8]]:
        with ThreadPoolExecutor(2, "change") as threads:
            for start in range(0, len(paths), runtime.batch_size):
                places = range(start, min(start + runtime.batch_size, len(paths)))
                yield np.stack(list(threads.map(one, places)))

    def one(place: int) -> NDArray[np.uint8]:
        return pixels(change(decode(paths[place]), place), pvm.preprocessing)

    runtime = compile_encoder(pvm.build(), pvm.preprocessing, device="cpu")
    return np.concatenate(list(runtime.run(batches())))


def augmentation(name: str, seed: int) -> Change:
    """AugMix (Hendrycks et al. 2020) or RandAugment (Cubuk et al. 2020) as torchvision has them,
    with its defaults. An image's draw depends on the seed and its place alone."""
    import torch
    from torchvision.transforms import v2

    transform = getattr(v2, name)()
    drawing = Lock()  # they draw from PyTorch's own generator, which all threads share

    def change(image: Image.Image, place: int) -> Image.Image:
        with drawing, torch.random.fork_rng():
            torch.manual_seed(seed * 1_000_003 + place)
            changed: Image.Image = transform(image)
        return changed

    return change
