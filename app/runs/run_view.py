"""One run as HTML, from plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.finetune.form import label
from app.runs.view import spent
from app.shell import markup as m
from app.shell.address import link
from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.store import CANCELED, ENDED, FAILED, FINISHED, QUEUED, Event, Round, Sample, Selection
from vecaf.store.runs import RunSummary

MORE = 60
REASONS = {
    "loss_weight": "loss weight (1 is average)",
    "gain": "what it added to what is covered",
    "density": "typical of its surroundings",
    "coverage": "share of the pool it stands for",
    "similarity": "similarity to its centre",
    "distance": "distance to the nearest pick",
}


def top(
    run: RunSummary,
    rounds: Sequence[Round],
    *,
    idle: str | None,
    dataset_id: int | None = None,
    own: bool = True,
) -> str:
    """Name, state, what is going on, the numbers so far, and what can be done.

    `own`: the run is on a dataset of whoever looks, so that they can launch another like it.
    """
    return (
        '<p><a href="/runs" data-go>← All runs</a></p>'
        f'<div class="card-head run-head"><h1>{m.text(run.name)}</h1>'
        f'{m.chip(run.state)}<span class="muted num">Run {run.id}</span>'
        f'<span class="grow"></span>{_buttons(run)}</div>'
        f"{_links(run, dataset_id, own)}{_going_on(run, idle)}{_tiles(run, rounds)}"
    )


def _links(run: RunSummary, dataset_id: int | None, own: bool) -> str:
    """Where to go on from here with this run."""
    explore = link("/explore", dataset=dataset_id, run=run.id, colour="round")
    places = [("Its picks in Explore", explore)] if dataset_id is not None else []
    if run.state == FINISHED:
        places += [("Predict with it", link("/predict", run=run.id))]
        places += [("Make it cope with a shift", link("/shift", dataset=dataset_id, run=run.id))]
    if own:
        places += [("Clone its settings", link("/finetune", clone=run.id))]
    inside = "".join(f'<a href="{m.text(address)}">{name}</a>' for name, address in places)
    return f'<nav class="run-links" aria-label="Go on with this run">{inside}</nav>'


def _buttons(run: RunSummary) -> str:
    parts = []
    if run.state == FINISHED:
        parts.append(
            f'<a class="button primary" href="{link("/predict", run=run.id)}#download">'
            "Download model</a>"
        )
    if run.state in (CANCELED, FAILED):
        parts.append(
            f'<button type="button" class="primary" data-act="resume" data-run="{run.id}">'
            "Resume</button>"
        )
    if run.state not in ENDED:
        parts.append(
            '<button type="button" disabled>Canceling …</button>'
            if run.cancel_requested
            else f'<button type="button" data-act="cancel" data-run="{run.id}">Cancel</button>'
        )
    return "".join(parts)


def _going_on(run: RunSummary, idle: str | None) -> str:
    if run.state == FAILED:
        return m.notice(run.error or "The run failed; its log says more.")
    if run.state == CANCELED:
        return m.notice("Canceled. Nothing is lost: it resumes where it stopped.", "quiet")
    if run.state == FINISHED:
        return ""
    if idle:
        return m.notice(idle, "warn")
    words = run.stage or ("Waiting for its turn" if run.state == QUEUED else "Starting")
    words = words[:1].upper() + words[1:]
    bar = m.progress(f"run-{run.id}-{run.stage}", words, run.done, run.total)
    return f'<section class="card">{bar}</section>'


def _tiles(run: RunSummary, rounds: Sequence[Round]) -> str:
    accuracy = labeled = batches = "–"
    gain = ""
    if rounds:
        last = rounds[-1]
        labeled, batches = m.number(last.labeled), m.number(last.batches)
        now, first = last.test_accuracy, rounds[0].test_accuracy
        if now is None or first is None:
            gain = "no labelled test images"
        else:
            accuracy = m.percent(now)
            gain = f"{100 * (now - first):+.1f} points since round 1" if len(rounds) > 1 else ""
    tiles = (
        ("Test accuracy", accuracy, gain),
        ("Rounds", f"{run.rounds_done} of {run.rounds}", ""),
        ("Labelled images", labeled, ""),
        ("Batches", batches, ""),
        ("Time", *spent(run)),
    )
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><span>{name}</span><b class="num">{value}</b>'
            f'<small class="num">{note}</small></div>'
            for name, value, note in tiles
        )
        + "</div>"
    )


def picks(
    run_id: int,
    chosen: int,
    counts: Mapping[int, int],
    shown: Sequence[tuple[Selection, Sample]],
    classes: Sequence[str],
) -> str:
    """One round's picks as thumbnails in rank order, and the way to the other rounds'."""
    if not counts:
        return (
            '<section class="card" data-key="picks"><h3>Picks</h3><p class="muted">The first '
            "round's picks appear here.</p></section>"
        )
    tabs = "".join(
        f'<a href="{m.text(link("/runs", run=run_id, round=number))}" data-go data-stay '
        f"{'aria-current=true' if number == chosen else ''}>Round {number}"
        f'<small class="num">{m.number(count)}</small></a>'
        for number, count in counts.items()
    )
    wall = "".join(_pick(selection, sample, classes) for selection, sample in shown)
    left = counts[chosen] - len(shown)
    more = (
        f'<p><a class="button quiet" href="'
        f'{m.text(link("/runs", run=run_id, round=chosen, show=len(shown) + 4 * MORE))}" data-go '
        f"data-stay>Show more ({m.number(left)} left)</a></p>"
        if left > 0
        else ""
    )
    return (
        f'<section class="card picks" data-key="picks"><div class="card-head"><h3>Picks</h3>'
        f'<nav class="tabs" aria-label="Rounds">{tabs}</nav></div>'
        f'<div class="wall picks-wall" data-key="wall-{chosen}">{wall}</div>{more}</section>'
    )


def _pick(selection: Selection, sample: Sample, classes: Sequence[str]) -> str:
    name = None if sample.label is None else classes[sample.label]
    words = [f"Pick {selection.rank + 1}" + (f": {name}" if name else "")]
    if sample.caption:
        words.append(sample.caption)
    words += [
        f"{REASONS.get(part, part.replace('_', ' '))}: {value:.3g}"
        for part, value in selection.scores.items()
        if value is not None  # a selection's earlier picks have no scores
    ]
    shown = f"<span>{m.text(name)}</span>" if name else ""
    return m.thumb(sample.id, sample.sha256, words, shown)


def settings(config: Mapping[str, Any]) -> str:
    """The configuration and the command line that repeats the run."""
    try:
        line = m.command(RunConfig.from_dict(config).as_command())
    except InputError as error:  # made by another version of the studio
        line = m.notice(str(error), "warn")
    facts = m.facts((label(name), m.text(value)) for name, value in config.items())
    return (
        '<section class="card" data-key="settings"><h3>Settings</h3>'
        f"{line}<details><summary>All settings</summary>"
        f'<div class="columns">{facts}</div></details></section>'
    )


def log(events: Sequence[Event]) -> str:
    """The log's last lines, newest at the bottom."""
    lines = "".join(
        f'<li data-key="event-{event.id}" class="log-{m.text(event.level)}">'
        f'<span class="muted num">{event.created_at:%H:%M:%S}</span> {m.text(event.message)}</li>'
        for event in events
    )
    return (
        f'<section class="card" data-key="log"><details open><summary><h3>Log</h3></summary>'
        f'<ol class="log" tabindex="0">{lines}</ol></details></section>'
    )
