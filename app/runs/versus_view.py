"""A run against random picks, and its picks on the map, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from app.runs.verdicts import cost_words, saving_words, verdict_words, won
from app.shell import markup as m
from app.shell.address import link
from vecaf.evaluation.run_groups import Entry, Group, Verdict, saving
from vecaf.store import ENDED


def versus(own: Group, beside: Group | None, found: Verdict | None, refusal: str | None) -> str:
    """What the random baseline says of the run's picks, or the offer to queue one.

    `beside`: the random runs; `refusal`: why there can't be one. '' for a run that is random.
    """
    run = own.runs[0]
    if own.random:
        return ""
    head = '<section class="card" data-key="versus"><h3>Against random picks</h3>'
    if beside is None:
        if refusal:
            return f'{head}<p class="muted">{m.text(refusal)}</p></section>'
        return (
            f'{head}<div class="offer-row"><p class="muted">Are these picks worth it? The same run '
            "on images drawn at random is the measure.</p>"
            f'<button type="button" data-act="baseline" data-run="{run.id}">'
            "Queue a random baseline</button></div></section>"
        )
    listed = "".join(_baseline(entry) for entry in beside.runs)
    runs = ",".join(str(entry.id) for entry in (*own.runs, *beside.runs))
    compare = f'<a class="button quiet" href="{m.text(link("/compare", runs=runs))}">Compare</a>'
    return (
        f'{head}<div class="versus">{_verdict(own, beside, found)}{_costs(own, beside, found)}'
        f'<div class="offer-row"><ul class="baselines">{listed}</ul>{compare}</div>'
        "</div></section>"
    )


def _baseline(entry: Entry) -> str:
    state = "" if entry.state == "finished" else m.chip(entry.state)
    address = m.text(link("/runs", run=entry.id))
    return (
        f'<li><a href="{address}" data-go>Random picks, run {entry.id}</a>'
        f'<span class="muted num">seed {entry.seed}</span>{state}</li>'
    )


def _verdict(own: Group, beside: Group, found: Verdict | None) -> str:
    if found is None:
        waiting = any(run.state not in ENDED for run in (*own.runs, *beside.runs))
        words = (
            "The two are compared once both have finished a round of equal size."
            if waiting
            else "They share no number of labelled images at which they could be compared."
        )
        return f'<p class="muted">{words}</p>'
    return m.notice(verdict_words(own.strategy, "random picks", found), won(found))


def _costs(own: Group, beside: Group, found: Verdict | None) -> str:
    target = beside.final()
    if target is None or own.final() is None:
        return ""
    rows = ""
    for by, unit in (("labels", "labels"), ("batches", "batches")):
        mine, theirs = own.costs(target, by), beside.costs(target, by)
        words = saving_words(saving(own, beside, target, by, found))
        rows += (
            f'<tr><th scope="row">{unit.capitalize()} to {m.percent(target)}</th>'
            f'<td class="num">{cost_words(mine.values(), unit)}</td>'
            f'<td class="num">{cost_words(theirs.values(), unit)}</td>'
            f'<td class="num">{words}</td></tr>'
        )
    return (
        f'<table class="table"><thead><tr><td></td><th scope="col">{m.text(own.strategy)}</th>'
        f'<th scope="col">random</th><th scope="col">Difference</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def round_map(
    dataset_id: int, run_id: int, rounds: int, ready: Sequence[str], making: str | None
) -> str:
    """The picks on the dataset's map; the offer to make the map where there is none.

    `ready`: the maps that are there ("pca", "umap"); `making`: what the map's task says it does.
    """
    if not rounds:
        return ""
    head = '<section class="card" data-key="roundmap"><h3>Picks on the map, round by round</h3>'
    method = next((name for name in ("umap", "pca") if name in ready), None)
    if method is not None:
        return (
            f'{head}<div class="roundmap" data-key="map-{run_id}" data-own '
            f'data-dataset="{dataset_id}" data-run="{run_id}" data-method="{method}" '
            f'data-rounds="{rounds}"></div></section>'
        )
    if making is not None:
        return f'{head}<p class="muted">The map is being made: {m.text(making)} …</p></section>'
    return (
        f'{head}<div class="offer-row"><p class="muted">A map of the dataset shows where each '
        "round's picks lie.</p>"
        f'<button type="button" data-act="map" data-run="{run_id}">Make the map</button></div>'
        "</section>"
    )
