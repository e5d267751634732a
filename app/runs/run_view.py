"""One run as HTML, from plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.evaluation.metrics import MetricInfo, describe_metrics
from vecaf.store import ENDED, FINISHED, QUEUED, TEST, Event, Sample, SelectedSample
from vecaf.store.records import RoundResult, RunSummary

from ..finetune.form import label
from ..shell.address import link
from ..shell.formatting import number
from ..shell.templates import macros
from .view import spent

MORE = 240  # images that "Show more" adds
SCORES = {
    "loss_weight": "loss weight (1 = average)",
    "gain": "coverage gain",
    "density": "density within its cluster (at most 1)",
    "coverage": "share of the pool closest to its centroid",
    "similarity": "similarity to its cluster center",
    "distance": "distance to the nearest selected image",
    "border": "boundary score (−1 to 1; low at a boundary between clusters)",
    "closeness": "closeness of the two likeliest classes (1 = tie)",
    "cluster": "share of the pool in its cluster",
    "core": "central image (1 = yes, 0 = boundary image)",
    "entropy": "entropy of the prediction (nats)",
    "gradient": "length of its loss gradient",
    "loss": "per-sample loss (nats)",
    "stratum": "loss level (0 = lowest)",
    "typicality": "typicality (inverse mean distance to its nearest images)",
    "uncertainty": "uncertainty (0 to 1)",
    "weight": "sampling weight (1 = average)",
}
"""Labels of the scores of all strategies."""


@dataclass(frozen=True)
class Top:
    """The head of a run's page. `idle`: why no run makes progress, None if a worker is alive."""

    run: RunSummary
    stage: str
    idle: str | None
    links: Sequence[tuple[str, str]]
    tiles: Sequence[tuple[str, str, str]]
    ended: bool


@dataclass(frozen=True)
class Selected:
    """A selected image. `lines`: its description; the first is its name."""

    id: int
    sha256: str
    lines: Sequence[str]
    class_name: str | None


def top(
    run: RunSummary,
    rounds: Sequence[RoundResult],
    *,
    idle: str | None,
    dataset_id: int | None = None,
    own: bool = True,
    selected: bool = True,
) -> str:
    """Return the run's name, state, progress and results, and what the user can do with it.

    `own`: the dataset belongs to the user, who can launch a similar run on it. `selected`: the run
    has selected images.
    """
    stage = run.stage or ("Waiting in the queue" if run.state == QUEUED else "Starting")
    stage += f" (on {run.node})" if run.node else ""
    page = Top(
        run,
        stage[:1].upper() + stage[1:],
        idle,
        _links(run, dataset_id, own, selected),
        _tiles(run, rounds),
        run.state in ENDED,
    )
    return str(macros("runs", "run.html").top(page))


def _links(
    run: RunSummary, dataset_id: int | None, own: bool, selected: bool
) -> list[tuple[str, str]]:
    links = []
    if dataset_id is not None and selected:
        explore = link("/explore", dataset=dataset_id, run=run.id, color="round")
        links += [("View selected images", explore)]
    if run.state == FINISHED:
        links += [("Predict with this model", link("/predict", run=run.id))]
        links += [("Adapt to a new domain", link("/shift", dataset=dataset_id, run=run.id))]
    if own:
        links += [("Clone settings", link("/finetune", clone=run.id))]
    return links


def _tiles(run: RunSummary, rounds: Sequence[RoundResult]) -> list[tuple[str, str, str]]:
    """Return (name, value, note) of each result."""
    labeled = batches = "–"
    if rounds:
        labeled, batches = number(rounds[-1].labeled), number(rounds[-1].batches)
    return [
        *((f"Test {info.label}", *_metric(info, rounds)) for info in describe_metrics()),
        ("Rounds", f"{run.rounds_done} of {run.rounds}", ""),
        ("Labeled images", labeled, ""),
        ("Batches", batches, ""),
        ("Time", *spent(run)),
    ]


def _metric(info: MetricInfo, rounds: Sequence[RoundResult]) -> tuple[str, str]:
    """Return a test metric after the last round, and a note on its change or its absence."""
    if not rounds:
        return info.text(None), ""
    first, last = rounds[0].metrics[TEST], rounds[-1].metrics[TEST]
    if not last:
        return info.text(None), "no labeled test images"
    value = last.get(info.name)
    if value is None:
        return info.text(None), "not measured"
    if len(rounds) < 2 or info.name not in first:
        return info.text(value), ""
    return info.text(value), f"{info.change(value - first[info.name])} since round 1"


def selected(
    run_id: int,
    number: int,
    counts: Mapping[int, int],
    shown: Sequence[tuple[SelectedSample, Sample]],
    classes: Sequence[str],
    *,
    ended: bool,
) -> str:
    """Return the first images that round `number` selected, by rank, and links to other rounds.

    `counts`: how many images each round selected.
    """
    images = [_selected(selection, sample, classes) for selection, sample in shown]
    page = macros("runs", "run.html")
    return str(page.selected(run_id, number, counts, images, len(shown) + MORE, ended))


def _selected(selection: SelectedSample, sample: Sample, classes: Sequence[str]) -> Selected:
    name = None if sample.label is None else classes[sample.label]
    lines = [f"Rank {selection.rank + 1}" + (f": {name}" if name else "")]
    if sample.caption:
        lines.append(sample.caption)
    lines += [
        f"{SCORES.get(part, part.replace('_', ' '))}: {value:.3g}"
        for part, value in selection.scores.items()
        if value is not None  # images of an earlier selection have no scores
    ]
    return Selected(sample.id, sample.sha256, lines, name)


def settings(config: Mapping[str, Any]) -> str:
    """Return the settings and the command line that repeats the run."""
    command, problem = None, ""
    try:
        command = RunConfig.from_dict(config).as_command()
    except InputError as error:  # stored by another version of the studio
        problem = str(error)
    pairs = [(label(name), value) for name, value in config.items()]
    return str(macros("runs", "run.html").settings(command, problem, pairs))


def log(events: Sequence[Event]) -> str:
    """Return the last lines of the log."""
    return str(macros("runs", "run.html").log(events))
