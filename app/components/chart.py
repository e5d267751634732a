"""Curves, drawn by Plotly in the page from numbers alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from vecaf.evaluation.comparison import Line, band
from vecaf.store import Round
from vecaf.store.pages import Curve

BATCHES, LABELS = "batches", "labelled images"
RUN_CHARTS = (
    ("loss", "Loss", "The curve begins with the first batches."),
    ("validation", "Validation accuracy", "One point after each epoch."),
    ("rounds", "Accuracy by round", "One point after each round."),
)
"""(id, title, what is said before the first point)."""
COLOURS = ("accent", "second", "third", "fourth", "fifth", "sixth")
BASELINE = "muted"


def charts(specs: Sequence[tuple[str, str, str]] = RUN_CHARTS, name: str = "charts") -> gr.HTML:
    """Charts beside each other; handlers return JSON as `series` does, or NOTHING to hide them."""
    sections = "".join(
        f'<section class="card chart waiting"><div class="chart-head"><h3>{title}</h3>'
        f'<div class="chart-switch" role="group" aria-label="Against what" hidden></div></div>'
        f'<div data-chart="{id_}"></div><p class="muted chart-wait">{wait}</p></section>'
        for id_, title, wait in specs
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
) -> str:
    """A run's numbers as JSON: losses and accuracies by batch, accuracies by labels or batches.

    `baseline`: the random runs' lines, one a seed, drawn into the last chart; `baseline_curves`:
    one such run's curves, of which the validation accuracy is drawn.
    """
    accuracy = [_curve("validation", curves.get("val_accuracy", []), "third")]
    beside = (baseline_curves or {}).get("val_accuracy", [])
    if beside:
        accuracy.append(_curve("random picks", beside, BASELINE) | {"dash": True})
    loss = [
        _curve("training", curves.get("train_loss", []), "accent"),
        _curve("validation", curves.get("val_loss", []), "third"),
    ]
    spent = {"x": [item.labeled for item in rounds], "other": [item.batches for item in rounds]}
    by_round: list[dict[str, Any]] = [
        {"name": name, "colour": colour, **spent, "y": values, "points": True}
        for name, colour, values in (
            ("test", "accent", [item.test_accuracy for item in rounds]),
            ("validation", "third", [item.val_accuracy for item in rounds]),
        )
    ]
    if any(line.accuracy for line in baseline):
        by_round.append(group_curve("random picks", BASELINE, baseline) | {"dash": True})
    ends = [item.batches for item in rounds]
    return json.dumps(
        {
            "key": f"run-{run_id}",
            "charts": [
                {"id": "loss", "x": BATCHES, "curves": loss, "marks": ends},
                {"id": "validation", "x": BATCHES, "curves": accuracy, "percent": True,
                 "marks": ends},
                {"id": "rounds", "x": LABELS, "other": BATCHES, "curves": by_round,
                 "percent": True},
            ],
        }
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
