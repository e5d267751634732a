"""Augmentations of benchmark images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from benchmarks.changed import AUGMENTATIONS, augmentation


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_draws_depend_only_on_seed_and_index(name: str) -> None:
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (48, 48, 3), np.uint8)) for _ in range(60)]

    def changed(threads: int, seed: int) -> list[bytes]:
        change = augmentation(name, seed)
        with ThreadPoolExecutor(threads) as pool:
            return [image.tobytes() for image in pool.map(change, images, range(len(images)))]

    alone = changed(1, seed=1)
    for _ in range(3):
        assert changed(4, seed=1) == alone
    assert changed(1, seed=2) != alone
