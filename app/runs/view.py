"""The list of runs as HTML, from plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.shell import markup as m
from app.shell.address import link
from vecaf.store import ENDED, QUEUED
from vecaf.store.models import now
from vecaf.store.runs import RunSummary

TITLE = (
    '<div class="title"><h1>Runs</h1><p>Every run is kept, with its picks, curves and model.</p>'
    "</div>"
)


def listing(
    runs: Sequence[RunSummary],
    curves: Mapping[int, Sequence[float]],
    *,
    idle: str | None,
    before: int | None = None,
    more: bool = False,
) -> str:
    """Runs, newest first, from the newest or from `before` a run on; `more`: there are older ones.

    What to do first where there is none.
    """
    if not runs and before is not None:
        return TITLE + m.empty("No older runs", '<a href="/runs" data-go>See the newest runs</a>.')
    if not runs:
        hint = 'Choose a dataset on the <a href="/">Data page</a>, then finetune on it.'
        return TITLE + m.empty("No runs yet", hint)
    waiting = any(run.state not in ENDED for run in runs)
    head = "".join(
        f"<span>{name}</span>"
        for name in ("Run", "State", "Test accuracy", "Rounds", "Started", "Duration")
    )
    rows = "".join(_row(run, curves.get(run.id, ())) for run in runs)
    return (
        f"{TITLE}{m.notice(idle, 'warn') if waiting and idle else ''}"
        f'<section class="card runs"><div class="runs-head" aria-hidden="true">{head}</div>'
        f"<ul>{rows}</ul></section>{_turn(runs[-1].id, before, more)}"
        '<div class="compare-bar" data-key="compare" data-own></div>'
    )


def _turn(last: int, before: int | None, more: bool) -> str:
    newest = '<a class="button quiet" href="/runs" data-go>Newest runs</a>'
    older = f'<a class="button quiet" href="{link("/runs", before=last)}" data-go>Older runs</a>'
    inside = (newest if before is not None else "") + (older if more else "")
    return f'<nav class="pages" aria-label="More runs">{inside}</nav>' if inside else ""


def missing(sentence: str) -> str:
    return m.empty(sentence, 'It may have been removed. <a href="/runs" data-go>See all runs</a>.')


def _row(run: RunSummary, curve: Sequence[float]) -> str:
    accuracy = "–" if run.test_accuracy is None else m.percent(run.test_accuracy)
    stage = f'<small class="muted">{m.text(run.stage)}</small>' if run.stage else ""
    address = m.text(link("/runs", run=run.id))
    time, of = spent(run)
    return (
        f'<li data-key="run-{run.id}"><label class="run-pick"><span class="sr-only">Compare run '
        f'{run.id}</span><input type="checkbox" data-pick="{run.id}"></label>'
        f'<a class="run-row" href="{address}" data-go>'
        f'<span class="run-name"><b>{m.text(run.name)}</b>'
        f'<small class="muted num">Run {run.id}, seed {run.seed}</small></span>'
        f'<span class="run-state">{m.chip(run.state)}{stage}</span>'
        f'<span class="run-accuracy num"><b>{accuracy}</b>{spark(curve)}</span>'
        f'<span class="num">{run.rounds_done} of {run.rounds}</span>'
        f'<span class="muted">{m.when(run.started_at)}</span>'
        f'<span class="muted num">{time}{f" <small>{of}</small>" if of else ""}</span></a></li>'
    )


def spent(run: RunSummary) -> tuple[str, str]:
    """How long the run took, or has taken so far, and what that counts where it isn't all."""
    if run.started_at is None:
        return "–", ""
    if run.attempt > 1 or run.state == QUEUED:  # its clock went on while it was interrupted
        return m.duration(run.seconds), "in finished rounds"
    end = run.finished_at if run.state in ENDED and run.finished_at else now()
    return m.duration((end - run.started_at).total_seconds()), ""


def spark(values: Sequence[float]) -> str:
    """A small curve of the rounds' accuracies; the numbers are beside it or on the run's page."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{2 + 56 * i / (len(values) - 1):.1f},{18 - 14 * (value - low) / span:.1f}"
        for i, value in enumerate(values)
    )
    return (
        f'<svg class="spark" viewBox="0 0 60 22" width="60" height="22" aria-hidden="true">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )
