"""Images of the target domain on the Shift page: the form, and what a run made of them."""

from __future__ import annotations

from markupsafe import Markup
from sqlalchemy.orm import Session

from vecaf.runs.target_outcome import read_outcome
from vecaf.store import ENDED, Dataset, Run, Store, dataset_named, visible
from vecaf.store.imports import recent_imports
from vecaf.store.run_pairs import RunPair, target_datasets

from ..shell.templates import macros


def form(session: Session, user: int, dataset_id: int, base: Run | None) -> Markup:
    """Return the form that launches runs which adapt to images of another dataset."""
    others = target_datasets(session, user, dataset_id)
    importing = [job for job in recent_imports(session, user) if job.state not in ENDED]
    html: Markup = macros("shift", "images.html").form(dataset_id, others, importing, base)
    return html


def outcome(store: Store, pair: RunPair) -> Markup:
    """Return the sentence of the pair's run about its adaptation; empty before there is one."""
    found = read_outcome(store.settings.runs / str(pair.shifted.id)) if pair.images else None
    html: Markup = macros("shift", "images.html").outcome(found)
    return html


def setting(session: Session, user: int, images_id: int) -> str:
    """Return the value of `adapt_to` that names this dataset: its name, or its id if others share
    the name.

    Raises NotFoundError if the user can't read it.
    """
    name = visible(session, user, Dataset, images_id).name
    return name if dataset_named(session, user, name).id == images_id else str(images_id)


def is_busy(session: Session, user: int) -> bool:
    """Return whether an import of the user is in progress, which may be the target dataset."""
    return any(job.state not in ENDED for job in recent_imports(session, user))
