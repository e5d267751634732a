"""What a run's model gets wrong, as HTML: the confusion matrix, its cells' images, the mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vecaf.store import Sample
from vecaf.store.records import RoundResult

from ..shell.templates import macros

LARGEST_MATRIX = 40  # classes; with more, only the most frequent mistakes are listed
LISTED = 5  # most frequent mistakes
MatrixCell = tuple[int, int]  # (true class, predicted class)


@dataclass(frozen=True)
class Guess:
    """A test image and its predicted class; confidence is 0 to 1, loss in nats."""

    sample: Sample
    true: int
    predicted: int
    confidence: float
    loss: float


@dataclass(frozen=True)
class ShownGuess:
    """A guess as the page shows it. `lines`: its description; the first is its name."""

    id: int
    sha256: str
    lines: Sequence[str]
    label: str
    confidence: float


@dataclass(frozen=True)
class Confusion:
    """A round's confusion matrix.

    worst     (count, true class, predicted class) of the most frequent mistakes
    cell      the cell whose images are shown, None for none
    readable  whether the matrix is small enough to be shown
    """

    run_id: int
    round: int
    classes: Sequence[str]
    matrix: Sequence[Sequence[int]]
    worst: Sequence[tuple[int, int, int]]
    cell: MatrixCell | None
    readable: bool


def read_cell(text: str, classes: int) -> MatrixCell | None:
    """Return the cell that an address names as '2-5', None if `classes` has no such cell."""
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    true, predicted = (int(part[:9]) for part in parts)
    return (true, predicted) if true < classes and predicted < classes else None


def confusion(
    run_id: int,
    rounds: Sequence[RoundResult],
    classes: Sequence[str],
    cell: MatrixCell | None = None,
    images: Sequence[Guess] | None = None,
) -> str:
    """Return the last round's confusion matrix on the test set and its most frequent mistakes.

    `images` are those of `cell`, None if the run has no predictions. "" without labeled test
    images.
    """
    if not rounds or not rounds[-1].confusion:
        return ""
    last = rounds[-1]
    matrix: list[list[int]] = last.confusion or []
    if not any(map(any, matrix)):
        return ""
    worst = sorted(
        (
            (count, true, predicted)
            for true, row in enumerate(matrix)
            for predicted, count in enumerate(row)
            if true != predicted and count
        ),
        reverse=True,
    )[:LISTED]
    readable = len(classes) <= LARGEST_MATRIX
    page = Confusion(run_id, last.number, classes, matrix, worst, cell, readable)
    shown = None if images is None else [_shown(image, classes) for image in images]
    return str(macros("runs", "mistakes.html").confusion(page, shown))


def mistakes(
    highest_loss: Sequence[Guess], most_confident: Sequence[Guess], classes: Sequence[str]
) -> str:
    """Return the mistakes with the highest loss, and those with the highest confidence."""
    if not highest_loss:
        return ""
    walls = [[_shown(image, classes) for image in wall] for wall in (highest_loss, most_confident)]
    return str(macros("runs", "mistakes.html").mistakes(*walls))


def _shown(image: Guess, classes: Sequence[str]) -> ShownGuess:
    true, predicted = classes[image.true], classes[image.predicted]
    wrong = true != predicted
    sample = image.sample
    lines = [
        f"{true} predicted as {predicted}" if wrong else true,
        sample.caption or sample.file_name,
        f"confidence: {image.confidence:.3g}",
        f"loss: {image.loss:.3g}",
    ]
    label = f"{true} → {predicted}" if wrong else true
    return ShownGuess(sample.id, sample.sha256, lines, label, image.confidence)
