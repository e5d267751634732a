"""The list of signed-off selections, with how far each is labelled."""

from __future__ import annotations

from collections.abc import Sequence

from app.select.form import PoolFacts
from app.shell import markup as m
from app.shell.address import link
from vecaf.store import SELECTION
from vecaf.store.subsets import SubsetSummary


def saved(pool: PoolFacts, subsets: Sequence[SubsetSummary]) -> str:
    """Signed-off selections with how far they are labelled."""
    rows = [line for line in subsets if line.kind == SELECTION]
    if not rows:
        return ""
    items = "".join(_saved(pool, line) for line in rows)
    return (
        f'<section class="card" data-key="saved"><h2>Signed-off selections</h2>'
        f'<ul class="saved">{items}</ul></section>'
    )


def _saved(pool: PoolFacts, line: SubsetSummary) -> str:
    facts = line.facts
    how = f"{facts.get('strategy', '')}, seed {facts.get('seed', 0)}"
    left = line.images - line.labeled
    label = link("/label", dataset=pool.id, subset=line.id)
    finetune = link("/finetune", dataset=pool.id, subset=line.name)
    go = (
        f'<a class="button" href="{m.text(label)}">Label {m.number(left)} more</a>'
        if left
        else f'<a class="button" href="{m.text(finetune)}">Finetune</a>'
    )
    return (
        f'<li data-key="subset-{line.id}"><span class="saved-name"><b>{m.text(line.name)}</b>'
        f'<small class="muted">{m.text(how)} · {m.when(line.created_at)}</small></span>'
        f'<span class="saved-bar"><progress value="{line.labeled}" max="{max(1, line.images)}" '
        f'aria-label="Labelled"></progress><small class="num muted">{m.number(line.labeled)} of '
        f"{m.number(line.images)} labelled</small></span>"
        f'<span class="saved-do">{go}'
        f'<a class="button quiet" href="/download/subset/{line.id}/imagefolder.zip" download>'
        f'Images</a><button type="button" class="quiet" data-act="delete" data-subset="{line.id}" '
        f'data-sure="Forget the selection “{m.text(line.name)}”? Its images and their labels stay."'
        f' aria-label="Forget {m.text(line.name)}">Forget</button></span></li>'
    )
