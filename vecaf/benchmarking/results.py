"""What a cell measured, kept as one small JSON file under a key of everything that decides it."""

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

FORMAT = 1  # raise it when a file says something else, or the measuring itself changes
TEST, VALIDATION = "test", "validation"
ASIDE = ("dataset", "device")  # a dataset is known by its content, a device by its kind


@dataclass(frozen=True)
class Round:
    """What one round of a cell came to; counts are cumulative, accuracies 0 to 1.

    `picks` is a digest of the picked images in rank order: equal ones were picked alike.
    """

    labeled: int
    batches: int
    val_accuracy: float | None
    test_accuracy: float
    seconds: float
    picks: str


@dataclass(frozen=True)
class Point:
    """Accuracies while it trained, after so many batches; test only where it was looked at."""

    batches: int
    val_accuracy: float | None
    test_accuracy: float | None


@dataclass(frozen=True)
class Result:
    """A finished cell. `curve` is in order of batches; its last point is the last round's end."""

    dataset: str
    strategy: str
    budget: str
    seed: int
    rounds: tuple[Round, ...]
    curve: tuple[Point, ...]
    seconds: float

    @property
    def labeled(self) -> int:
        return self.rounds[-1].labeled

    @property
    def batches(self) -> int:
        return self.rounds[-1].batches

    @property
    def accuracy(self) -> float:
        """Test accuracy after the last round."""
        return self.rounds[-1].test_accuracy

    def by_round(self) -> LearningCurve:
        """Test accuracy at the end of each round."""
        return LearningCurve(
            tuple(one.labeled for one in self.rounds),
            tuple(one.batches for one in self.rounds),
            tuple(one.test_accuracy for one in self.rounds),
        )

    def while_training(self, split: str) -> LearningCurve:
        """Accuracy on TEST or VALIDATION against batches, from every point that measured it."""
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
    def from_dict(cls, kept: Mapping[str, Any]) -> Result:
        rounds = tuple(Round(**one) for one in kept["rounds"])
        curve = tuple(Point(**one) for one in kept["curve"])
        return cls(**{**kept, "rounds": rounds, "curve": curve})


def content_digest(samples: Samples) -> str:
    """Hex digest of all that a run sees of a dataset: images, splits, labels, captions, order.

    Sample ids don't count: the same upload on another machine gives the same digest.
    """
    digest = hashlib.sha256()
    said = [samples.classes, samples.keys, samples.captions]
    digest.update(json.dumps(said, ensure_ascii=False).encode())
    for array in (samples.labels, samples.excluded, samples.short_sides):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\n".join(samples.splits.tolist()).encode())
    return digest.hexdigest()


def picks_digest(samples: Samples, ids: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """Hex digest (16 digits) of the images behind sample `ids`, in order."""
    keys = [samples.keys[row] for row in np.searchsorted(samples.ids, ids)]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def vlm_digest(vlm: VLM) -> str:
    """Hex digest of what a VLM is: its towers, and what it makes of two made-up feature rows, for
    weights that ship with the code."""
    size = (2, vlm.image_encoder.feature_dim)
    rows = vlm.embed_features(np.random.default_rng(0).random(size, dtype=np.float32))
    digest = hashlib.sha256(
        f"{vlm.text_tower.fingerprint} {fingerprint(vlm.image_encoder)}".encode()
    )
    digest.update((rows.round(3) + np.float32(0)).tobytes())
    return digest.hexdigest()


def deciding(cell: Cell, content: str, embedding: str, vlm: str, device: str) -> dict[str, Any]:
    """Everything that decides a cell's result. `content`: the dataset's digest, `embedding`: the
    fingerprint of its embedding set, `vlm`: the VLM's digest where text has a say, `device`: the
    kind of device (cpu, cuda)."""
    config = {name: value for name, value in cell.config.as_dict().items() if name not in ASIDE}
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


def key_of(facts: object) -> str:
    """16 hex digits that name what can be written as JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Shelf:
    """A folder of finished cells; any number of benchmarks read it and add to it."""

    folder: Path

    def path(self, cell: Cell, facts: Mapping[str, Any]) -> Path:
        """Where the cell's result is or will be: a readable name, and the key of its facts."""
        # A dataset's name may hold anything; strategies and budgets are plain.
        return self.folder / f"{cell.strategy}-{cell.budget}-{cell.seed}-{key_of(facts)}.json"

    def find(self, cell: Cell, facts: Mapping[str, Any]) -> Result | None:
        """The result, under the name that the dataset goes by now; None where there is none, or
        none that can be read."""
        try:
            kept = json.loads(self.path(cell, facts).read_text(encoding="utf-8"))
            return Result.from_dict(kept["result"] | {"dataset": cell.dataset})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, cell: Cell, facts: Mapping[str, Any], result: Result) -> None:
        """Keep a result, durably and at once."""
        kept = {"facts": dict(facts), "result": asdict(result)}
        write_bytes(self.path(cell, facts), json.dumps(kept, ensure_ascii=False).encode())
