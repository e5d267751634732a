"""The list of runs as HTML, from plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vecaf.evaluation.metrics import describe_metrics
from vecaf.store import CANCELED, ENDED, FAILED, FINISHED, QUEUED, RUNNING, TEST
from vecaf.store.models import now
from vecaf.store.runs import RunSummary

from ..shell.address import link
from ..shell.formatting import duration
from ..shell.templates import macros


@dataclass(frozen=True)
class ListedRun:
    """A run in the list.

    `accuracy`: on the test images. `others`: the other test metrics. `sparkline`: the points of an
    SVG polyline, "" for less than two.
    """

    run: RunSummary
    accuracy: str
    others: str
    sparkline: str
    duration: str
    duration_note: str


STATES = {
    "active": (QUEUED, RUNNING),
    "finished": (FINISHED,),
    "failed": (FAILED,),
    "canceled": (CANCELED,),
}
"""The states that the list can be limited to, by their name in the address."""


@dataclass(frozen=True)
class Filters:
    """Which runs are listed: those of a dataset, in a state, with a tag.

    `datasets`: (id, name) of all. `tags`: all tags.
    """

    datasets: Sequence[tuple[int, str]] = ()
    dataset: int | None = None
    state: str = ""
    tags: Sequence[str] = ()
    tag: str = ""

    @property
    def active(self) -> bool:
        return self.dataset is not None or bool(self.state or self.tag)

    def address(self, **changes: object) -> str:
        """Return the address of the list with some filters changed."""
        kept = {
            "dataset": self.dataset,
            "state": self.state or None,
            "tag": self.tag or None,
        }
        return link("/runs", **{**kept, **changes})

    @property
    def dataset_options(self) -> list[tuple[str, str, bool]]:
        """(address, words, whether it is selected) for each dataset."""
        choices = [(None, "All datasets"), *self.datasets]
        return [(self.address(dataset=id_), name, id_ == self.dataset) for id_, name in choices]

    @property
    def state_options(self) -> list[tuple[str, str, bool]]:
        """The same for each state."""
        names = ["", *STATES]
        return [
            (self.address(state=name or None), name or "any state", name == self.state)
            for name in names
        ]

    @property
    def tag_options(self) -> list[tuple[str, str, bool]]:
        """The same for each tag."""
        names = ["", *self.tags]
        return [
            (self.address(tag=name or None), name or "any tag", name == self.tag) for name in names
        ]


NO_FILTERS = Filters()


def listing(
    runs: Sequence[RunSummary],
    curves: Mapping[int, Sequence[float]],
    *,
    idle: str | None,
    before: int | None = None,
    more: bool = False,
    filters: Filters = NO_FILTERS,
) -> str:
    """Return the runs, newest first, or a hint if there are none.

    `before`: the list starts below this run. `more`: older runs follow.
    """
    page = macros("runs")
    if not runs and not filters.active:
        return str(page.no_runs() if before is None else page.no_older_runs())
    waiting = any(run.state not in ENDED for run in runs)
    rows = [
        ListedRun(run, *_metrics(run), sparkline(curves.get(run.id, ())), *spent(run))
        for run in runs
    ]
    older = runs[-1].id if more else None
    return str(page.listing(rows, idle if waiting else None, before, older, filters))


def _metrics(run: RunSummary) -> tuple[str, str]:
    """Return the test accuracy, and the other test metrics that were measured."""
    measured = run.metrics[TEST]
    texts = {info.name: info.text(measured.get(info.name)) for info in describe_metrics()}
    others = [
        f"{info.label} {texts[info.name]}"
        for info in describe_metrics()
        if info.name != "accuracy" and info.name in measured
    ]
    return texts["accuracy"], ", ".join(others)


def missing(message: str) -> str:
    return str(macros("runs").missing(message))


def unreadable(message: str) -> str:
    return str(macros("runs").unreadable(message))


def spent(run: RunSummary) -> tuple[str, str]:
    """Return how long the run has taken, and a note if that is not all of its time."""
    if run.started_at is None:
        return "–", ""
    if run.attempt > 1 or run.state == QUEUED:  # its start lies before an interruption
        return duration(run.seconds), "in finished rounds"
    end = run.finished_at if run.state in ENDED and run.finished_at else now()
    return duration((end - run.started_at).total_seconds()), ""


def sparkline(values: Sequence[float]) -> str:
    """Return the accuracies by round as points in a box of 60 × 22."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return " ".join(
        f"{2 + 56 * i / (len(values) - 1):.1f},{18 - 14 * (value - low) / span:.1f}"
        for i, value in enumerate(values)
    )
