"""A dataset of the studio as a FiftyOne dataset, with embeddings, selections, and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone

SELECTED = "selected"


@dataclass(frozen=True)
class Row:
    """An image with what FiftyOne shows of it.

    Attributes
    ----------
    path
        The image file.
    sample_id
        Id of the image in the studio.
    tags
        The split, and "selected" for a selected image.
    label, caption
        None if there is none.
    embedding
        Features of the image.
    scores
        Scores of the strategy by name; empty for images that are not selected.
    prediction
        Predicted class and its probability; None without a model.
    """

    path: Path
    sample_id: int
    tags: Sequence[str]
    label: str | None
    caption: str | None
    embedding: Sequence[float]
    scores: dict[str, float] = field(default_factory=dict)
    prediction: tuple[str, float] | None = None


def fiftyone_samples(rows: Sequence[Row]) -> list[fiftyone.Sample]:
    """Return the samples of a FiftyOne dataset."""
    import fiftyone as fo

    found = []
    for row in rows:
        values: dict[str, Any] = {
            "studio_id": row.sample_id,
            "embedding": list(row.embedding),
            "caption": row.caption,
            **{f"score_{name}": value for name, value in row.scores.items()},
        }
        if row.label is not None:
            values["ground_truth"] = fo.Classification(label=row.label)
        if row.prediction is not None:
            name, share = row.prediction
            values["prediction"] = fo.Classification(label=name, confidence=share)
        found.append(fo.Sample(filepath=str(row.path), tags=list(row.tags), **values))
    return found


def fiftyone_dataset(rows: Sequence[Row], name: str | None = None) -> fiftyone.Dataset:
    """Return a new FiftyOne dataset. FiftyOne needs its database for it."""
    import fiftyone as fo

    dataset = fo.Dataset(name)
    dataset.add_samples(fiftyone_samples(rows))
    return dataset
