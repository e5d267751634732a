"""A run's curves, drawn by Plotly in the page from numbers alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

import gradio as gr

from vecaf.store import Round
from vecaf.store.pages import Curve

CHARTS = (
    ("loss", "Loss", "The curve begins with the first batches."),
    ("validation", "Validation accuracy", "One point after each epoch."),
    ("rounds", "Accuracy by labelled images", "One point after each round."),
)
_TEMPLATE = "".join(
    f'<section class="card chart waiting"><h3>{title}</h3>'
    f'<div data-chart="{id_}"></div><p class="muted chart-wait">{wait}</p></section>'
    for id_, title, wait in CHARTS
)


def charts() -> gr.HTML:
    """Three charts; handlers return `series(…)` as their value, or '' to hide them."""
    return gr.HTML(
        value="",
        html_template=f'<div class="charts" hidden>{_TEMPLATE}</div>',
        js_on_load="studio.chart(element, props, watch)",
        apply_default_css=False,
        elem_id="charts",
    )


def series(run_id: int, curves: dict[str, Curve], rounds: Sequence[Round]) -> str:
    """The charts' numbers as JSON: losses and accuracies by batch, accuracies by labels."""

    def curve(name: str, source: str, colour: str) -> dict[str, object]:
        points = curves.get(source, [])
        return {
            "name": name,
            "colour": colour,
            "x": [step for step, _ in points],
            "y": [round(value, 5) for _, value in points],
        }

    labeled = [item.labeled for item in rounds]
    ends = [item.batches for item in rounds]
    accuracy = curve("validation", "val_accuracy", "third") | {"percent": True}
    by_round = [
        {"name": name, "colour": colour, "x": labeled, "y": values, "points": True, "percent": True}
        for name, colour, values in (
            ("test", "accent", [item.test_accuracy for item in rounds]),
            ("validation", "third", [item.val_accuracy for item in rounds]),
        )
    ]
    loss = [curve("training", "train_loss", "accent"), curve("validation", "val_loss", "third")]
    return json.dumps(
        {
            "run": run_id,
            "charts": [
                {"id": "loss", "x": "batches", "curves": loss, "marks": ends},
                {
                    "id": "validation",
                    "x": "batches",
                    "curves": [accuracy],
                    "percent": True,
                    "marks": ends,
                },
                {"id": "rounds", "x": "labelled images", "curves": by_round, "percent": True},
            ],
        }
    )
