"""Curves, drawn by Plotly in the page from numbers alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from app.shell.components.axis import fraction_range
from vecaf.evaluation.comparison import Line, band
from vecaf.store import Round
from vecaf.store.page_queries import Curve

BATCHES, LABELS = "batches", "labelled images"
RUN_CHARTS = (
    ("loss", "Loss"),
    ("validation", "Validation accuracy"),
    ("rounds", "Accuracy by round"),
)
"""(id, title)."""
COLORS = ("accent", "second", "third", "fourth", "fifth", "sixth")
BASELINE = "muted"


def charts(specs: Sequence[tuple[str, str]] = RUN_CHARTS, name: str = "charts") -> gr.HTML:
    """Charts beside each other; handlers return JSON as `series` does, or NOTHING to hide them."""
    sections = "".join(
        f'<section class="card chart waiting"><div class="chart-head"><h3>{title}</h3>'
        f'<div class="chart-switch" role="group" aria-label="Against what" hidden></div></div>'
        f'<div data-chart="{id_}"></div><p class="muted chart-wait"></p></section>'
        for id_, title in specs
    )
    return gr.HTML(
        value="",
        html_template=f'<div class="charts charts-{len(specs)}" hidden>{sections}</div>',
        js_on_load="studio.chart(element, props, watch)",
        apply_default_css=False,
        elem_id=name,
    )


def series(
    run_id: int,
    curves: dict[str, Curve],
    rounds: Sequence[Round],
    baseline: Sequence[Line] = (),
    baseline_curves: Mapping[str, Curve] | None = None,
    *,
    ended: bool = False,
) -> str:
    """A run's numbers as JSON: losses and accuracies by batch, accuracies by labels or batches.

    `baseline`: the random runs' lines, one a seed, drawn into the last chart; `baseline_curves`:
    one such run's curves, of which the validation accuracy is drawn. `ended`: the run has ended.
    """
    loss = [
        _curve("training", curves.get("train_loss", []), "accent"),
        _curve("validation", curves.get("val_loss", []), "third"),
    ]
    beside = (baseline_curves or {}).get("val_accuracy", [])
    accuracy = [
        _curve("validation", curves.get("val_accuracy", []), "third"),
        _curve("random picks", beside, BASELINE) | {"dash": True},
    ]
    by_round = [
        _by_round("test", [(item, item.test_accuracy) for item in rounds], "accent"),
        _by_round("validation", [(item, item.val_accuracy) for item in rounds], "third"),
        group_curve("random picks", BASELINE, baseline) | {"dash": True},
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
    """One chart: its curves that have a point. `wait` is the text shown if none has."""
    return {"id": id_, "x": against, "curves": [one for one in curves if one["x"]], "wait": wait}


def percent_chart(
    id_: str,
    against: str,
    curves: Sequence[Mapping[str, Any]],
    wait: str,
    target: float | None = None,
) -> dict[str, Any]:
    """A chart of fractions (0 to 1), with the ends of its axis; `target` is a line across it."""
    made = chart(id_, against, curves, wait)
    values = [value for one in made["curves"] for key in ("y", "low", "high")
              for value in one.get(key, ())]  # fmt: skip
    ends = fraction_range(values if target is None else [*values, target])
    return made | {"percent": True, "range": ends, "target": target}


def _waits(rounds: Sequence[Round], ended: bool) -> tuple[str, str, str]:
    """The text of each empty chart of a run: when its first point appears, or why it has none."""
    validated = any(item.val_accuracy is not None for item in rounds)
    return (
        "The run ended before its first batch." if ended
        else "The curve begins with the first batches.",
        "The dataset has no labeled validation images, so there is no validation accuracy."
        if rounds and not validated
        else "The run ended before its first epoch." if ended
        else "One point after each epoch.",
        "The dataset has no labeled test or validation images, so there is no accuracy." if rounds
        else "The run ended before its first round." if ended
        else "One point after each round.",
    )  # fmt: skip


def group_curve(name: str, colour: str, lines: Sequence[Line]) -> dict[str, Any]:
    """Test accuracies of runs that differ by their seed: the mean and its 95% interval."""
    labeled, means = band(lines, "labels")
    batches, _ = band(lines, "batches")
    curve: dict[str, Any] = {
        "name": name,
        "colour": colour,
        "x": labeled,
        "other": batches,
        "y": [round(item.mean, 5) for item in means],
        "points": True,
    }
    if any(item.low is not None for item in means):
        curve["low"] = [item.mean if item.low is None else item.low for item in means]
        curve["high"] = [item.mean if item.high is None else item.high for item in means]
    return curve


def _curve(name: str, points: Curve, colour: str) -> dict[str, Any]:
    return {
        "name": name,
        "colour": colour,
        "x": [step for step, _ in points],
        "y": [round(value, 5) for _, value in points],
    }


def _by_round(
    name: str, values: Sequence[tuple[Round, float | None]], colour: str
) -> dict[str, Any]:
    """A point for each round that has a value."""
    known = [(item, value) for item, value in values if value is not None]
    return {
        "name": name,
        "colour": colour,
        "x": [item.labeled for item, _ in known],
        "other": [item.batches for item, _ in known],
        "y": [value for _, value in known],
        "points": True,
    }
