"""Training batches that depend only on the step, so that a stopped training can resume exactly."""

from __future__ import annotations

import math
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vecaf.arrays import Labels, Rows
from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.views import random_views, resample

CACHE_BYTES = 1024**3  # decoded images that stay in memory between epochs


@dataclass(frozen=True)
class LabeledFeatures:
    """Centered unit features (n, d) and their class indices (n,), on the training device."""

    rows: Tensor
    labels: Tensor


@dataclass(frozen=True)
class LabeledImages:
    """Image files and their class indices (n,)."""

    paths: list[Path]
    labels: Labels


class Batches(Protocol):
    """Inputs and class indices by step."""

    @property
    def ranks(self) -> Ranks: ...
    @property
    def steps_per_epoch(self) -> int: ...

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return this process's inputs (b, …) and class indices (b,) of the batch at `step`."""

    def loss_weight(self, step: int) -> float:
        """Return the weight of this process's mean loss at `step`; see `Ranks.loss_weight`."""


def steps_in_epoch(n: int, batch_size: int) -> int:
    """Return the number of batches in one pass over `n` rows; the last one may be smaller."""
    return math.ceil(n / batch_size)


class BatchOrder:
    """Which rows a batch contains: each epoch is a new permutation, drawn from the seed.

    Parameters
    ----------
    n
        Rows of the training set.
    batch_size
        Rows of a batch, except for the last one of an epoch.
    seed
        Seed of the permutations.
    """

    def __init__(self, n: int, batch_size: int, seed: int) -> None:
        self.n, self.batch_size, self.seed = n, batch_size, seed
        self.steps_per_epoch = steps_in_epoch(n, batch_size)
        self._epoch, self._permutation = -1, np.empty(0, dtype=np.int64)

    def rows(self, step: int) -> Rows:
        """Return the rows (b,) of the batch at `step`."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:  # draw once per epoch, not once per batch
            self._epoch = epoch
            self._permutation = np.random.default_rng([self.seed, epoch]).permutation(self.n)
        return self._permutation[index * self.batch_size : (index + 1) * self.batch_size]

    def size(self, step: int) -> int:
        """Return the number of rows of the batch at `step`."""
        index = step % self.steps_per_epoch
        return min(self.batch_size, self.n - index * self.batch_size)


class FeatureBatches:
    """Batches of features that are in memory.

    Parameters
    ----------
    train
        The training set.
    batch_size
        Rows of a batch over all processes.
    seed
        Seed of the order.
    ranks
        The processes that share each batch.
    """

    def __init__(
        self, train: LabeledFeatures, batch_size: int, seed: int, ranks: Ranks = ALONE
    ) -> None:
        self.train, self.ranks = train, ranks
        self.order = BatchOrder(len(train.rows), batch_size, seed)

    @property
    def steps_per_epoch(self) -> int:
        return self.order.steps_per_epoch

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        part = self.ranks.part(self.order.rows(step))
        rows = torch.from_numpy(part).to(self.train.rows.device)
        return self.train.rows.index_select(0, rows), self.train.labels.index_select(0, rows)

    def loss_weight(self, step: int) -> float:
        return self.ranks.loss_weight(self.order.size(step))


class ImageBatches:
    """Batches of image files. Threads decode them one batch ahead; the device augments them.

    Parameters
    ----------
    train
        The training set.
    preprocessing
        Image size and normalization.
    batch_size
        Images of a batch over all processes.
    seed
        Seed of the order, the crops and flips, and of dropout.
    device
        Where batches end up.
    ranks
        The processes that share each batch.
    augmentation
        Strength of crops and flips, 0 to 1; see `random_views`. 0 leaves images unchanged.
    """

    def __init__(
        self,
        train: LabeledImages,
        preprocessing: Preprocessing,
        batch_size: int,
        seed: int,
        device: torch.device,
        ranks: Ranks = ALONE,
        *,
        augmentation: float = 1.0,
    ) -> None:
        self.paths, self.preprocessing = train.paths, preprocessing
        self.labels = torch.from_numpy(train.labels).to(device)
        self.seed, self.device, self.ranks = seed, device, ranks
        self.augmentation = augmentation
        self.order = BatchOrder(len(train.paths), batch_size, seed)
        self._threads = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "decode")
        self._ahead: dict[int, list[Future[Tensor]]] = {}
        self._cache: dict[int, Tensor] = {}
        side = preprocessing.image_size
        self._cache_size = CACHE_BYTES // (3 * side * side)
        shape = (1, 3, 1, 1)
        self._mean = 255 * torch.tensor(preprocessing.mean, device=device).view(shape)
        self._std = 255 * torch.tensor(preprocessing.std, device=device).view(shape)

    @property
    def steps_per_epoch(self) -> int:
        return self.order.steps_per_epoch

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self.ranks.part(self.order.rows(step))).to(self.device)
        # Dropout and stochastic depth draw from torch's global generator.
        torch.manual_seed(self.seed * 1_000_003 + step + self.ranks.number * 10**12)
        decoding = self._ahead.pop(step, None) or self._decode_batch(step)
        self._ahead = {step + 1: self._decode_batch(step + 1)}
        images = torch.stack([future.result() for future in decoding])
        if self.device.type == "cuda":
            images = images.pin_memory().to(self.device, non_blocking=True)
        images = (self._augmented(images.float(), step) - self._mean) / self._std
        return images.contiguous(memory_format=torch.channels_last), self.labels[rows]

    def _augmented(self, images: Tensor, step: int) -> Tensor:
        if not self.augmentation:
            return images
        rng = np.random.default_rng([self.seed, step, 1])
        size = self.order.size(step)  # a single process draws the same views
        views = random_views(size, rng, self.augmentation)
        return resample(images, views[self.ranks.part(np.arange(size))])

    def loss_weight(self, step: int) -> float:
        return self.ranks.loss_weight(self.order.size(step))

    def close(self) -> None:
        """Stop the decoding threads."""
        self._threads.shutdown(cancel_futures=True)

    def _decode_batch(self, step: int) -> list[Future[Tensor]]:
        rows = self.ranks.part(self.order.rows(step))
        return [self._threads.submit(self._decode, int(row)) for row in rows]

    def _decode(self, row: int) -> Tensor:
        image = self._cache.get(row)
        if image is None:
            array: NDArray[np.uint8] = pixels(decode(self.paths[row]), self.preprocessing)
            image = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
            if len(self._cache) < self._cache_size:
                self._cache[row] = image
        return image
