"""Training batches as a function of the step alone, so that a stopped loop can go on exactly."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.training.ranks import ALONE, Ranks

KEPT_BYTES = 1024**3  # decoded images kept between epochs; the rest is decoded again


def epoch_steps(n: int, batch_size: int) -> int:
    """Batches in one pass over `n` rows; the last may be smaller."""
    return math.ceil(n / batch_size)


class Order:
    """Which rows a batch holds: each epoch is a new permutation of n rows, drawn from the seed."""

    def __init__(self, n: int, batch_size: int, seed: int) -> None:
        self.n, self.batch_size, self.seed = n, batch_size, seed
        self.steps_per_epoch = epoch_steps(n, batch_size)
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def rows(self, step: int) -> NDArray[np.int64]:
        """Positions (b,) of the batch at `step`."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:  # one permutation an epoch, not one a batch
            self._epoch = epoch
            self._order = np.random.default_rng([self.seed, epoch]).permutation(self.n)
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]

    def size(self, step: int) -> int:
        """How many rows the batch at `step` has."""
        place = step % self.steps_per_epoch
        return min(self.batch_size, self.n - place * self.batch_size)


class FeatureBatches:
    """Batches of rows that are in memory already, such as centred features."""

    def __init__(
        self, rows: Tensor, targets: Tensor, batch_size: int, seed: int, ranks: Ranks = ALONE
    ) -> None:
        """`rows` (n, d) and `targets` (n,) on the training device; each rank gets its part."""
        self.rows, self.targets, self.ranks = rows, targets, ranks
        self.order = Order(len(rows), batch_size, seed)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self.ranks.part(self.order.rows(step))).to(self.rows.device)
        return self.rows.index_select(0, rows), self.targets.index_select(0, rows)

    def share(self, step: int) -> float:
        return self.ranks.share(self.order.size(step))


class ImageBatches:
    """Batches of image files: decoded by threads one batch ahead, augmented on the device."""

    def __init__(
        self,
        paths: Sequence[Path],
        targets: Tensor,
        preprocessing: Preprocessing,
        batch_size: int,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> None:
        """`targets` (n,) on the training device; one per path. Each rank gets its part."""
        self.paths, self.targets, self.preprocessing = paths, targets, preprocessing
        self.ranks = ranks
        self.seed = seed
        self.order = Order(len(paths), batch_size, seed)
        self._threads = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "decode")
        self._ahead: dict[int, list[Future[Tensor]]] = {}
        self._kept: dict[int, Tensor] = {}
        side = preprocessing.image_size
        self._room = KEPT_BYTES // (3 * side * side)
        shape = (1, 3, 1, 1)
        self._mean = 255 * torch.tensor(preprocessing.mean, device=targets.device).view(shape)
        self._std = 255 * torch.tensor(preprocessing.std, device=targets.device).view(shape)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self.ranks.part(self.order.rows(step))).to(self.targets.device)
        # Dropout and stochastic depth draw from it.
        torch.manual_seed(self.seed * 1_000_003 + step + self.ranks.number * 10**12)
        pending = self._ahead.pop(step, None) or self._submit(step)
        self._ahead = {step + 1: self._submit(step + 1)}
        images = torch.stack([future.result() for future in pending])
        if self.targets.device.type == "cuda":
            images = images.pin_memory().to(self.targets.device, non_blocking=True)
        rng = np.random.default_rng([self.seed, step, 1])
        views = random_views(self.order.size(step), rng)  # as one process would draw them
        mine = self.ranks.part(np.arange(len(views)))
        images = (resample(images.float(), views[mine]) - self._mean) / self._std
        return images.contiguous(memory_format=torch.channels_last), self.targets[rows]

    def share(self, step: int) -> float:
        return self.ranks.share(self.order.size(step))

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _submit(self, step: int) -> list[Future[Tensor]]:
        rows = self.ranks.part(self.order.rows(step))
        return [self._threads.submit(self._image, int(row)) for row in rows]

    def _image(self, row: int) -> Tensor:
        image = self._kept.get(row)
        if image is None:
            array = pixels(decode(self.paths[row]), self.preprocessing)
            image = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
            if len(self._kept) < self._room:
                self._kept[row] = image
        return image


def augment(
    images: Tensor,
    rng: np.random.Generator,
    *,
    smallest: float = 0.5,
    stretch: float = 4 / 3,
) -> Tensor:
    """Random resized crops and left-right flips of a batch (n, 3, s, s), in one resampling."""
    return resample(images, random_views(len(images), rng, smallest=smallest, stretch=stretch))


def random_views(
    n: int, rng: np.random.Generator, *, smallest: float = 0.5, stretch: float = 4 / 3
) -> NDArray[np.float32]:
    """Where each of n images is looked at: affine maps (n, 2, 3) for `resample`.

    A crop keeps between `smallest` and all of the area, with an aspect ratio between 1/`stretch`
    and `stretch` (Szegedy et al. 2015, milder: the picks are few and each matters).
    """
    area = rng.uniform(smallest, 1.0, n)
    wide = np.exp(0.5 * rng.uniform(-math.log(stretch), math.log(stretch), n))
    half = np.stack([np.sqrt(area) * wide, np.sqrt(area) / wide], axis=1).clip(max=1.0)
    centre = rng.uniform(-1.0, 1.0, (n, 2)) * (1 - half)
    flip = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    views = np.zeros((n, 2, 3), dtype=np.float32)
    views[:, 0, 0] = half[:, 0] * flip
    views[:, 1, 1] = half[:, 1]
    views[:, :, 2] = centre
    return views


def resample(images: Tensor, views: NDArray[np.float32]) -> Tensor:
    """Images (n, 3, s, s) as seen through affine maps (n, 2, 3) of the square [−1, 1]²."""
    grid = F.affine_grid(
        torch.from_numpy(views).to(images.device), list(images.shape), align_corners=False
    )
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
