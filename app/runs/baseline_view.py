"""A run beside its random baseline, and its selected images on the map, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vecaf.evaluation.run_groups import RunGroup, Verdict, saving
from vecaf.store import ENDED

from ..shell.formatting import percent
from ..shell.templates import macros
from .comparison_text import cost_text, notice_kind, saving_text, verdict_text


@dataclass(frozen=True)
class ReachedCost:
    """What the run and its baseline spend to reach an accuracy, as text."""

    name: str
    own: str
    baseline: str
    difference: str


def comparison(
    own: RunGroup, baseline: RunGroup | None, found: Verdict | None, refusal: str | None
) -> str:
    """Return the comparison with the random baseline, or the offer to launch one.

    `refusal`: why the run can't have one. "" for a run that selects randomly itself.
    """
    page = macros("runs", "baseline.html")
    if own.random:
        return ""
    if baseline is None:
        return str(page.unavailable(refusal) if refusal else page.offer(own.runs[0].id))
    runs = (*own.runs, *baseline.runs)
    if found is not None:
        verdict = verdict_text(own.strategy, "the random baseline", found)
        kind = notice_kind(found)
    else:
        kind = None
        verdict = (
            "The comparison appears when both runs have finished a round with the same number of "
            "labels."
            if any(run.state not in ENDED for run in runs)
            else "The runs have no round with the same number of labels, so they can't be compared."
        )
    compared = ",".join(str(run.id) for run in runs)
    costs = _costs(own, baseline, found)
    return str(page.comparison(own.strategy, verdict, kind, costs, baseline.runs, compared))


def _costs(own: RunGroup, baseline: RunGroup, found: Verdict | None) -> list[ReachedCost]:
    """Return what both spend to reach the baseline's final accuracy."""
    target = baseline.final_accuracy()
    if target is None or own.final_accuracy() is None:
        return []
    return [
        ReachedCost(
            f"{unit.capitalize()} to reach {percent(target)}",
            cost_text(own.costs(target, unit).values(), unit),
            cost_text(baseline.costs(target, unit).values(), unit),
            saving_text(saving(own, baseline, target, unit, found)),
        )
        for unit in ("labels", "batches")
    ]


def round_map(
    dataset_id: int, run_id: int, rounds: int, ready: Sequence[str], stage: str | None
) -> str:
    """Return the place for the map with the selected images, or the offer to compute the map.

    `ready`: the maps that exist ("pca", "umap"); `stage`: what the map's task does now. "" before
    the first round.
    """
    page = macros("runs", "baseline.html")
    if not rounds:
        return ""
    method = next((name for name in ("umap", "pca") if name in ready), None)
    if method is not None:
        return str(page.round_map(dataset_id, run_id, rounds, method))
    return str(page.map_offer(run_id) if stage is None else page.map_in_progress(stage))
