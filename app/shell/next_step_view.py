"""A dataset's next step as HTML, for every page that offers it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.shell import markup as m
from app.shell.address import link
from vecaf.store import dataset_named
from vecaf.store.datasets import pool_by_class
from vecaf.store.next_step import FINETUNE, LABEL, SELECT, NextStep, next_step


def next_step_link(dataset_id: int, step: NextStep, style: str = "button primary") -> str:
    """A link that names the step and leads to its page."""
    subset = step.subset
    if step.kind == FINETUNE:
        name = None if subset is None else subset.name
        words, address = "Finetune on this", link("/finetune", dataset=dataset_id, subset=name)
    elif step.kind == LABEL:
        waiting = None if subset is None else subset.id
        words, address = "Label images", link("/label", dataset=dataset_id, subset=waiting)
    else:
        words, address = "Select images", link("/select", dataset=dataset_id)
    return f'<a class="{style}" href="{m.text(address)}">{words}</a>'


def labels_first(session: Session, user: int, name: str, problem: str) -> tuple[str, str]:
    """The Finetune page's message for a dataset with too few labels: a card, and a short form.

    Raises NotFoundError.
    """
    dataset = dataset_named(session, user, name)
    step = next_step(session, user, dataset.id, pool_by_class(session, dataset))
    if step.kind == FINETUNE:  # the labels belong to images that the form does not use
        step = NextStep(LABEL)
    other = NextStep(SELECT if step.kind == LABEL else LABEL)
    links = next_step_link(dataset.id, step)
    links += next_step_link(dataset.id, other, "button quiet")
    card = (
        f'<section class="card"><h2>This run</h2>{m.notice(problem, "warn")}'
        f'<div class="card-foot">{links}</div></section>'
    )
    return card, f"<p>Too few labels to finetune.</p>{next_step_link(dataset.id, step)}"
