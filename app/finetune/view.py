"""The Finetune page as HTML, from plain records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from vecaf.runs.presets import PRESETS
from vecaf.store import dataset_named
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.next_step import FINETUNE, LABEL, SELECT, NextStep, next_step_to_train

from ..shell.next_step_view import next_step_link
from ..shell.templates import macros
from . import form


def html(name: str, *values: object) -> str:
    """Call a macro of `page.html`."""
    return str(getattr(macros("finetune"), name)(*values))


def presets(values: Sequence[Any]) -> str:
    """Return the presets as buttons; one is pressed if the form's `values` match it."""
    current = dict(zip((item.name for item in form.FIELDS), values, strict=True))
    active = [item.name for item in PRESETS if item.values.items() <= current.items()]
    return html("presets", PRESETS, active)


def labels_missing(session: Session, user: int, name: str, problem: str) -> tuple[str, str]:
    """Return the message for a dataset with too few labels: a card, and a line.

    Raises NotFoundError.
    """
    dataset = dataset_named(session, user, name)
    step = next_step_to_train(session, user, dataset.id, count_pool_by_class(session, dataset))
    if step.kind == FINETUNE:  # its labels belong to images that the form does not use
        step = NextStep(LABEL)
    other = NextStep(SELECT if step.kind == LABEL else LABEL)
    link = Markup(next_step_link(dataset.id, step))
    links = (link, Markup(next_step_link(dataset.id, other, "button quiet")))
    return html("labels_missing", problem, links), html("labels_missing_line", link)
