"""The plot of a model card: accuracy by labeled images, as a self-contained SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vecaf.drawing import render
from vecaf.store.records import RoundResult

PLOT = "accuracy.svg"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 260, 52, 44, 16, 20


@dataclass(frozen=True)
class AccuracyLine:
    """The accuracy on one split. `points`: (x, y) in the units of the drawing."""

    name: str
    color: str
    dashed: bool
    points: Sequence[tuple[float, float]]


def accuracy_plot(rounds: Sequence[RoundResult]) -> bytes:
    """Draw the test and validation accuracy by labeled images."""
    most = max((result.labeled for result in rounds), default=1) or 1

    def line(
        name: str, color: str, dashed: bool, values: Sequence[tuple[int, float | None]]
    ) -> AccuracyLine:
        known = [(_x(labeled, most), _y(share)) for labeled, share in values if share is not None]
        return AccuracyLine(name, color, dashed, known)

    lines = (
        line("test", "#2b4fd8", False, [(r.labeled, r.test_accuracy) for r in rounds]),
        line("validation", "#12806f", True, [(r.labeled, r.val_accuracy) for r in rounds]),
    )
    drawing = render(
        "export/accuracy.svg",
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=HEIGHT - BOTTOM,
        ticks=[(_y(share), f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)],
        marks=[(_x(r.labeled, most), r.labeled) for r in _marked(rounds)],
        lines=[line for line in lines if line.points],
    )
    return drawing.encode()


def _x(labeled: int, most: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT - 12) * labeled / most, 1)


def _y(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def _marked(rounds: Sequence[RoundResult]) -> Sequence[RoundResult]:
    """Choose at most eight rounds, including the last, so that axis labels don't overlap."""
    step = -(-len(rounds) // 8) or 1
    return rounds[::-1][::step]
