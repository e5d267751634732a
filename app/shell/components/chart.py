"""Charts that the page draws with Plotly from numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from vecaf.evaluation.comparison import LearningCurve, mean_curve
from vecaf.store.page_queries import Curve
from vecaf.store.records import RoundResult

from ..templates import macros
from .axis import fraction_range

BATCHES, LABELS = "batches", "labeled images"
RUN_CHARTS = (
    ("loss", "Loss"),
    ("validation", "Validation accuracy"),
    ("rounds", "Learning curve"),
)
"""(id, title)."""
COLORS = ("accent", "second", "third", "fourth", "fifth", "sixth")
BASELINE = "muted"


def charts(specs: Sequence[tuple[str, str]] = RUN_CHARTS, name: str = "charts") -> gr.HTML:
    """Return charts side by side. Handlers return the JSON of `series`, or NOTHING to hide them."""
    return gr.HTML(
        value="",
        html_template=str(macros("shell", "components/pieces.html").charts(specs)),
        js_on_load="studio.chart(element, props, watch)",
        apply_default_css=False,
        elem_id=name,
    )


def series(
    run_id: int,
    curves: dict[str, Curve],
    rounds: Sequence[RoundResult],
    baseline: Sequence[LearningCurve] = (),
    baseline_curves: Mapping[str, Curve] | None = None,
    *,
    ended: bool = False,
) -> str:
    """Return a run's curves as JSON: loss and accuracy by batch, accuracy by labels or batches.

    baseline         test accuracies of the random runs, one line per seed
    baseline_curves  curves of one random run, for its validation accuracy
    ended            whether the run has ended
    """
    loss = [
        _curve("training", curves.get("train_loss", []), "accent"),
        _curve("validation", curves.get("val_loss", []), "third"),
    ]
    beside = (baseline_curves or {}).get("val_accuracy", [])
    accuracy = [
        _curve("validation", curves.get("val_accuracy", []), "third"),
        _curve("random baseline", beside, BASELINE) | {"dash": True},
    ]
    by_round = [
        _by_round("test", [(item, item.test_accuracy) for item in rounds], "accent"),
        _by_round("validation", [(item, item.val_accuracy) for item in rounds], "third"),
        group_curve("random baseline", BASELINE, baseline) | {"dash": True},
    ]
    waits = _waits(rounds, ended)
    marks = [item.batches for item in rounds]
    return json.dumps(
        {
            "key": f"run-{run_id}",
            "charts": [
                chart("loss", BATCHES, loss, waits[0]) | {"marks": marks},
                percent_chart("validation", BATCHES, accuracy, waits[1]) | {"marks": marks},
                percent_chart("rounds", LABELS, by_round, waits[2]) | {"other": BATCHES},
            ],
        }
    )


def chart(id_: str, against: str, curves: Sequence[Mapping[str, Any]], wait: str) -> dict[str, Any]:
    """Return a chart of the curves that have a point. `wait`: the text if none has."""
    return {"id": id_, "x": against, "curves": [one for one in curves if one["x"]], "wait": wait}


def percent_chart(
    id_: str,
    against: str,
    curves: Sequence[Mapping[str, Any]],
    wait: str,
    target: float | None = None,
) -> dict[str, Any]:
    """Return a chart of fractions (0 to 1). `target`: where to draw a horizontal line."""
    made = chart(id_, against, curves, wait)
    values = [value for one in made["curves"] for key in ("y", "low", "high")
              for value in one.get(key, ())]  # fmt: skip
    ends = fraction_range(values if target is None else [*values, target])
    return made | {"percent": True, "range": ends, "target": target}


def _waits(rounds: Sequence[RoundResult], ended: bool) -> tuple[str, str, str]:
    """Return the text of each chart without points: when one appears, or why none will."""
    validated = any(item.val_accuracy is not None for item in rounds)
    return (
        "The run ended before its first batch." if ended
        else "The curve starts with the first batch.",
        "The dataset has no labeled validation images, so there is no validation accuracy."
        if rounds and not validated
        else "The run ended before it finished an epoch." if ended
        else "A point appears after each epoch.",
        "The dataset has no labeled test or validation images, so there is no accuracy." if rounds
        else "The run ended before it finished a round." if ended
        else "A point appears after each round.",
    )  # fmt: skip


def group_curve(name: str, color: str, lines: Sequence[LearningCurve]) -> dict[str, Any]:
    """Return the mean test accuracy of runs that differ only by seed, with its 95% interval."""
    labeled, means = mean_curve(lines, "labels")
    batches, _ = mean_curve(lines, "batches")
    curve: dict[str, Any] = {
        "name": name,
        "color": color,
        "x": labeled,
        "other": batches,
        "y": [round(item.mean, 5) for item in means],
        "points": True,
    }
    if any(item.low is not None for item in means):
        curve["low"] = [item.mean if item.low is None else item.low for item in means]
        curve["high"] = [item.mean if item.high is None else item.high for item in means]
    return curve


def _curve(name: str, points: Curve, color: str) -> dict[str, Any]:
    return {
        "name": name,
        "color": color,
        "x": [step for step, _ in points],
        "y": [round(value, 5) for _, value in points],
    }


def _by_round(
    name: str, values: Sequence[tuple[RoundResult, float | None]], color: str
) -> dict[str, Any]:
    """Return a curve with a point for each round that has a value."""
    known = [(item, value) for item, value in values if value is not None]
    return {
        "name": name,
        "color": color,
        "x": [item.labeled for item, _ in known],
        "other": [item.batches for item, _ in known],
        "y": [value for _, value in known],
        "points": True,
    }
