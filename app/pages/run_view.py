"""One run as HTML, from plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app import markup as m
from app.pages.address import link
from app.pages.finetune_form import label
from app.pages.runs_view import spent
from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.store import CANCELED, ENDED, FAILED, FINISHED, QUEUED, Event, Round, Sample, Selection
from vecaf.store.runs import RunSummary

MORE = 60
BIGGEST_MATRIX = 40  # classes; a larger one is listed by its worst confusions alone
REASONS = {
    "loss_weight": "loss weight (1 is average)",
    "density": "typical of its surroundings",
    "coverage": "share of the pool it stands for",
    "similarity": "similarity to its centre",
    "distance": "distance to the nearest pick",
}


def top(run: RunSummary, rounds: Sequence[Round], *, idle: str | None) -> str:
    """Name, state, what is going on, the numbers so far, and what can be done."""
    return (
        '<p><a href="/runs" data-go>← All runs</a></p>'
        f'<div class="card-head run-head"><h1>{m.text(run.name)}</h1>'
        f'{m.chip(run.state)}<span class="muted num">Run {run.id}</span>'
        f'<span class="grow"></span>{_buttons(run)}</div>'
        f"{_going_on(run, idle)}{_tiles(run, rounds)}"
    )


def _buttons(run: RunSummary) -> str:
    parts = []
    if run.state == FINISHED:
        parts.append(
            f'<a class="button primary" href="/download/run/{run.id}/model" download>'
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
        ("Time", spent(run), ""),
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
        f'<a href="{m.text(link("/runs", run=run_id, round=number))}" data-go '
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
    ]
    shown = f"<span>{m.text(name)}</span>" if name else ""
    return m.thumb(sample.id, sample.sha256, words, shown)


def confusion(rounds: Sequence[Round], classes: Sequence[str]) -> str:
    """The last round's test confusions: a matrix where it can be read, the worst ones in words."""
    if not rounds or not rounds[-1].confusion.get("test"):
        return ""
    matrix: list[list[int]] = rounds[-1].confusion["test"]
    worst = sorted(
        (
            (count, classes[true], classes[guess])
            for true, row in enumerate(matrix)
            for guess, count in enumerate(row)
            if true != guess and count
        ),
        reverse=True,
    )[:5]
    lines = "".join(
        f'<li><b class="num">{m.number(count)}</b> {m.text(true)} taken for {m.text(guess)}</li>'
        for count, true, guess in worst
    )
    words = f'<ul class="worst">{lines}</ul>' if lines else "<p>No mistakes.</p>"
    return (
        '<section class="card" data-key="confusion"><h3>Confusions on the test set, round '
        f'{rounds[-1].number}</h3><div class="confusion">{_matrix(matrix, classes)}'
        f"<div><p class=muted>Most frequent mistakes</p>{words}</div></div></section>"
    )


def _matrix(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    if len(classes) > BIGGEST_MATRIX:
        return ""
    head = "".join(f'<th scope="col"><span>{m.text(name)}</span></th>' for name in classes)
    rows = []
    for true, row in enumerate(matrix):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="--share:{count / total:.3f}" class="{"hit" if true == guess else "miss"}" '
            f'title="{m.text(classes[true])} taken for {m.text(classes[guess])}: {count}">'
            f"{count or ''}</td>"
            for guess, count in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{m.text(classes[true])}</th>{cells}</tr>')
    return (
        '<div class="matrix-frame" tabindex="0"><table class="matrix"><caption>Rows: true class. '
        f"Columns: predicted.</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


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
