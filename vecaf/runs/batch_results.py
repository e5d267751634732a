"""The results of predicting many images, and their files.

images/, thumbs/    the images, checked and named by sha256, and their thumbnails
predictions.jsonl   one object per file, see `Prediction`, by file name
predictions.csv     the same as a table
summary.json        see `BatchSummary`
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vecaf.datasets.metadata import guarded
from vecaf.files import write_bytes
from vecaf.wording import plural

JSONL, CSV, SUMMARY = "predictions.jsonl", "predictions.csv", "summary.json"


@dataclass(frozen=True)
class Prediction:
    """The prediction of one file.

    Attributes
    ----------
    label, confidence
        The most probable class and its probability; None for a file that can't be read.
    distance
        Distance from the training data, see `vecaf.evaluation.novelty`.
    unlike
        Whether the distance is above the threshold.
    error
        Why the file can't be read; None otherwise.
    sha256, extension
        They name the file in `images/`.
    """

    file: str
    label: str | None = None
    confidence: float | None = None
    distance: float | None = None
    unlike: bool | None = None
    error: str | None = None
    sha256: str = ""
    extension: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for users."""
        return {
            "file": self.file,
            "class": self.label,
            "confidence": self.confidence,
            "distance": self.distance,
            "unlike_training_data": self.unlike,
            "error": self.error,
        }


@dataclass(frozen=True)
class BatchSummary:
    """The predictions of many images in numbers.

    `classes` counts the predicted images by class, `unlike` those that are unlike the training
    data, and `refused` the files that can't be read. `score` explains the distance.
    """

    run: int
    images: int
    refused: int
    unlike: int
    threshold: float
    score: str
    classes: dict[str, int]

    def sentence(self) -> str:
        """Describe the result."""
        if not self.images:
            unread = f"{plural(self.refused, 'file')} can't be read"
            reason = unread if self.refused else "there are no image files"
            return f"No image was predicted: {reason}. Choose other files."
        text = f"Predicted {plural(self.images, 'image')}: {plural(self.unlike, 'outlier')}."
        if self.refused:
            text += f" {plural(self.refused, 'file')} can't be read."
        return text


def write_results(folder: Path, found: Sequence[Prediction], summary: BatchSummary) -> None:
    """Write the files of the results."""
    lines = [json.dumps(asdict(one), ensure_ascii=False) for one in found]
    write_bytes(folder / JSONL, "".join(f"{line}\n" for line in lines).encode())
    write_bytes(folder / CSV, as_csv(found).encode())
    write_bytes(folder / SUMMARY, json.dumps(asdict(summary), ensure_ascii=False).encode())


def as_csv(found: Sequence[Prediction]) -> str:
    """Return predictions as CSV, safe to open in a spreadsheet."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(Prediction("").as_dict())
    for one in found:
        values = one.as_dict().values()
        rows.writerow(
            [guarded(v) if isinstance(v, str) else "" if v is None else v for v in values]
        )
    return out.getvalue()


def as_jsonl(found: Sequence[Prediction]) -> str:
    """Return predictions as JSON Lines."""
    return "".join(f"{json.dumps(one.as_dict(), ensure_ascii=False)}\n" for one in found)


def read_predictions(folder: Path) -> list[Prediction]:
    """Read what `predict_images` wrote to a folder."""
    lines = (folder / JSONL).read_text(encoding="utf-8").split("\n")
    return [Prediction(**json.loads(line)) for line in lines if line]


def read_summary(folder: Path) -> BatchSummary:
    """Read what `predict_images` wrote to a folder."""
    return BatchSummary(**json.loads((folder / SUMMARY).read_text(encoding="utf-8")))


def most_unlike_first(found: Sequence[Prediction]) -> list[Prediction]:
    """Return the predictions of readable files, the most unlike the training data first."""
    readable = [one for one in found if one.distance is not None]
    return sorted(readable, key=lambda one: -(one.distance or 0.0))
