"""Results of cells, cached as JSON files whose key covers everything that affects a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vecaf.benchmarking.cells import Cell
from vecaf.datasets.pool import Samples
from vecaf.encoders.embed import fingerprint
from vecaf.encoders.vlm import VLM
from vecaf.evaluation.comparison import LearningCurve
from vecaf.export.code_digest import code_digest
from vecaf.export.environment import installed_versions
from vecaf.files import write_bytes

FORMAT = 2  # increase it if the files or the measurement change
TEST, VALIDATION = "test", "validation"
IDENTIFIED_OTHERWISE = ("dataset", "device", "trackers")  # by content digest, by device type


@dataclass(frozen=True)
class CellRound:
    """The result of one round of a cell.

    Attributes
    ----------
    labeled, batches
        Cumulative counts.
    val_accuracy, test_accuracy
        From 0 to 1.
    seconds
    selection
        A digest of the selected images in rank order.
    """

    labeled: int
    batches: int
    val_accuracy: float | None
    test_accuracy: float
    seconds: float
    selection: str


@dataclass(frozen=True)
class CurvePoint:
    """Accuracies during training after a number of batches; None if not measured."""

    batches: int
    val_accuracy: float | None
    test_accuracy: float | None


@dataclass(frozen=True)
class CellResult:
    """The result of a cell.

    `curve` is ordered by batches; its last point is the end of the last round.
    """

    dataset: str
    strategy: str
    budget: str
    seed: int
    rounds: tuple[CellRound, ...]
    curve: tuple[CurvePoint, ...]
    seconds: float

    @property
    def labeled(self) -> int:
        return self.rounds[-1].labeled

    @property
    def batches(self) -> int:
        return self.rounds[-1].batches

    @property
    def accuracy(self) -> float:
        """The test accuracy after the last round."""
        return self.rounds[-1].test_accuracy

    def by_round(self) -> LearningCurve:
        """Return the test accuracy at the end of each round."""
        return LearningCurve(
            tuple(one.labeled for one in self.rounds),
            tuple(one.batches for one in self.rounds),
            tuple(one.test_accuracy for one in self.rounds),
        )

    def while_training(self, split: str) -> LearningCurve:
        """Return the accuracy on TEST or VALIDATION during training, at each measured point."""
        name = "test_accuracy" if split == TEST else "val_accuracy"
        points = [(one.batches, getattr(one, name)) for one in self.curve]
        kept = [(batches, value) for batches, value in points if value is not None]
        return LearningCurve(
            tuple(self._labeled_at(batches) for batches, _ in kept),
            tuple(batches for batches, _ in kept),
            tuple(value for _, value in kept),
        )

    def _labeled_at(self, batches: int) -> int:
        return next((one.labeled for one in self.rounds if batches <= one.batches), self.labeled)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> CellResult:
        rounds = tuple(CellRound(**one) for one in kept["rounds"])
        curve = tuple(CurvePoint(**one) for one in kept["curve"])
        return cls(**{**kept, "rounds": rounds, "curve": curve})


def content_digest(samples: Samples) -> str:
    """Hash everything that a run reads from a dataset: images, splits, labels, captions, order.

    Sample ids are not included, so the same upload on another machine gives the same digest.
    """
    digest = hashlib.sha256()
    texts = [samples.classes, samples.keys, samples.captions]
    digest.update(json.dumps(texts, ensure_ascii=False).encode())
    for array in (samples.labels, samples.excluded, samples.short_sides):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\n".join(samples.splits.tolist()).encode())
    return digest.hexdigest()


def selection_digest(samples: Samples, ids: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """Hash the images with these sample ids, in order (16 hexadecimal digits)."""
    keys = [samples.keys[row] for row in np.searchsorted(samples.ids, ids)]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def vlm_digest(vlm: VLM) -> str:
    """Hash a VLM: the fingerprints of its towers, and its embeddings of two random feature rows.

    The embeddings identify the projection weights, which have no fingerprint.
    """
    size = (2, vlm.image_encoder.feature_dim)
    rows = vlm.embed_features(np.random.default_rng(0).random(size, dtype=np.float32))
    digest = hashlib.sha256(
        f"{vlm.text_tower.fingerprint} {fingerprint(vlm.image_encoder)}".encode()
    )
    digest.update((rows.round(3) + np.float32(0)).tobytes())
    return digest.hexdigest()


def cache_facts(cell: Cell, content: str, embedding: str, vlm: str, device: str) -> dict[str, Any]:
    """Collect everything that affects a cell's result.

    Parameters
    ----------
    cell
    content
        The dataset's digest.
    embedding
        The fingerprint of the embedding set.
    vlm
        The VLM's digest; empty if the cell does not use text.
    device
        The device type, such as "cpu" or "cuda".
    """
    config = {
        name: value
        for name, value in cell.config.as_dict().items()
        if name not in IDENTIFIED_OTHERWISE
    }
    return {
        "format": FORMAT,
        "config": config,
        "content": content,
        "embedding": embedding,
        "vlm": vlm,
        "device": device,
        "code": code_digest(cell.config.strategy),
        "versions": installed_versions(),
    }


def facts_key(facts: object) -> str:
    """Hash a value that can be written as JSON (16 hexadecimal digits)."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ResultCache:
    """A folder of results that several benchmarks can share."""

    folder: Path

    def path(self, cell: Cell, facts: Mapping[str, Any]) -> Path:
        """Return the file of a cell's result."""
        # The name of a dataset may contain any characters, so it is not part of the file name.
        return self.folder / f"{cell.strategy}-{cell.budget}-{cell.seed}-{facts_key(facts)}.json"

    def find(self, cell: Cell, facts: Mapping[str, Any]) -> CellResult | None:
        """Return a cached result with the current name of the dataset.

        Returns
        -------
        CellResult or None
            None if there is no readable file.
        """
        try:
            kept = json.loads(self.path(cell, facts).read_text(encoding="utf-8"))
            return CellResult.from_dict(kept["result"] | {"dataset": cell.dataset})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, cell: Cell, facts: Mapping[str, Any], result: CellResult) -> None:
        """Write a result to the cache, durably."""
        kept = {"facts": dict(facts), "result": asdict(result)}
        write_bytes(self.path(cell, facts), json.dumps(kept, ensure_ascii=False).encode())
