"""Pairs of runs, without and with a target domain: launching one, its result, the earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from vecaf.evaluation.corruptions.matching import NAMES
from vecaf.store import FINISHED, Run, Task
from vecaf.store.run_pairs import RunPair

from ..shell.address import link
from ..shell.components.axis import fraction_range, fraction_ticks
from ..shell.templates import macros

WIDTH, HEIGHT = 420, 210  # of the chart, in its own units
NO_SENTENCE = Markup()
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 34
SIDES = ("plain", "shifted")


@dataclass(frozen=True)
class ComparedAccuracies:
    """Accuracies (0 to 1) on some test images; the difference and its interval in points."""

    name: str
    plain: float
    shifted: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Mark:
    """A text on an axis of the chart."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Accuracy by severity, in the units of an SVG picture."""

    ticks: list[Mark]
    names: list[Mark]
    lines: list[tuple[str, list[tuple[float, float]]]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


@dataclass(frozen=True)
class Headline:
    """The result in one sentence. `kind`: of the notice. `plain`, `shifted`: accuracies, 0 to 1."""

    sentence: str
    kind: str
    plain: float
    shifted: float


@dataclass(frozen=True)
class Outcome:
    """A finished comparison."""

    headline: Headline
    sentences: list[str]
    chart: Chart
    rows: list[ComparedAccuracies]
    images: int
    other: tuple[str, int] | None  # name of the second dataset, number of its images


def launch(dataset_id: int, words: str, base: Run | None) -> Markup:
    """Return the form that launches a baseline and a shifted run; with `base`, only the latter."""
    return _html("launch", dataset_id, words, base)


def result(
    pair: RunPair,
    task: Task | None,
    corruption: str,
    datasets: Sequence[tuple[int, str]],
    on: int,
    adapted: Markup = NO_SENTENCE,
) -> Markup:
    """Return the selected pair: the progress of its runs, then their comparison.

    `datasets` can be the second test dataset; the form selects the one with id `on`. `adapted`
    says whether the model was adapted to images of the target domain.
    """
    found = task.result if task is not None and task.state == FINISHED else None
    outcome = _outcome(found, corruption) if found else None
    return _html("pair", pair, task, corruption, NAMES, datasets, on, outcome, adapted)


def earlier(pairs: Sequence[RunPair], address: Mapping[str, object]) -> Markup:
    """Return every pair of the dataset, newest first. `address` holds the page's parameters."""
    linked = [
        (
            pair,
            link(
                "/shift",
                **{**address, "words": pair.words, "pair": pair.shifted.id, "on": None},
            ),
        )
        for pair in pairs
    ]
    return _html("earlier", linked, address.get("pair"))


def _outcome(found: Mapping[str, Any], corruption: str) -> Outcome:
    levels, other, overall = found["levels"], found.get("other"), found.get("overall")
    name = corruption.replace("_", " ")
    rows = [
        _row(f"{name} {one['severity']}" if one["severity"] else "clean", one) for one in levels
    ]
    if other:
        rows.append(_row(other["name"], other))
    headline = _headline(levels, overall, other, name)
    counted = (other["name"], other["images"]) if other else None
    images = levels[0]["images"]
    return Outcome(headline, found["sentences"], chart(levels), rows, images, counted)


def _headline(
    levels: Sequence[Mapping[str, Any]],
    overall: Sequence[float] | None,
    other: Mapping[str, Any] | None,
    corruption: str,
) -> Headline:
    """Return the result on the second dataset, else on the corrupted images, else on clean ones."""
    if other:
        where, low, high = f"“{other['name']}”", other["low"], other["high"]
        plain, shifted = other["plain"], other["shifted"]
    elif overall:
        corrupted = [one for one in levels if one["severity"]]
        where, (_, low, high) = f"images with {corruption}", overall
        plain, shifted = (sum(one[s] for one in corrupted) / len(corrupted) for s in SIDES)
    else:
        where, low, high = "clean test images", levels[0]["low"], levels[0]["high"]
        plain, shifted = (levels[0][side] for side in SIDES)
    before, after = (f"{100 * value:.0f}%" for value in (plain, shifted))
    numbers = f"Accuracy on {where}: {after} (baseline: {before})."
    if low > 0:
        return Headline(
            f"Training with the target domain helped. {numbers}", "good", plain, shifted
        )
    if high < 0:
        sentence = f"Training with the target domain reduced accuracy here. {numbers}"
        return Headline(sentence, "warn", plain, shifted)
    if low == high == 0:
        sentence = f"Training with the target domain made no difference here. {numbers}"
    else:
        sentence = f"Training with the target domain made no significant difference here. {numbers}"
    return Headline(sentence, "quiet", plain, shifted)


def _row(name: str, one: Mapping[str, Any]) -> ComparedAccuracies:
    points = (100 * one[key] for key in ("difference", "low", "high"))
    return ComparedAccuracies(name, one["plain"], one["shifted"], *points)


def chart(levels: Sequence[Mapping[str, Any]]) -> Chart:
    """Return the chart of a comparison: one line for the baseline, one for the shifted run."""
    values: list[float] = [one[side] for one in levels for side in ("plain", "shifted")]
    low, high = fraction_range(values)

    def x(place: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, len(levels) - 1), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    return Chart(
        ticks=[Mark(LEFT, y(value), text) for value, text in fraction_ticks(low, high)],
        names=[Mark(x(i), HEIGHT, str(one["severity"] or "clean")) for i, one in enumerate(levels)],
        lines=[
            (side, [(x(i), y(one[side])) for i, one in enumerate(levels)])
            for side in ("plain", "shifted")
        ],
    )


def _html(macro: str, *values: object) -> Markup:
    html: Markup = getattr(macros("shift", "pairs.html"), macro)(*values)
    return html
