"""A dataset's next step as HTML, for every page that offers it."""

from __future__ import annotations

from app.shell import markup as m
from app.shell.address import link
from vecaf.store.next_step import FINETUNE, LABEL, NextStep


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
