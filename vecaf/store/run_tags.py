"""Tags of runs: words by which a user finds them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.options import UNSTORABLE
from vecaf.store.authorization import changeable, readable
from vecaf.store.models import Run

MAX_TAGS, MAX_LENGTH = 10, 40


def split_tags(text: str) -> tuple[str, ...]:
    """Split text at commas into tags, without duplicates. Raises InputError for too long ones."""
    words = (" ".join(UNSTORABLE.sub(" ", part).split()) for part in text.split(","))
    tags = tuple(dict.fromkeys(filter(None, words)))
    too_long = next((tag for tag in tags if len(tag) > MAX_LENGTH), None)
    if too_long is not None:
        raise InputError(f"The tag “{too_long[:20]}…” is longer than {MAX_LENGTH} characters.")
    return tags


def tag_runs(
    session: Session, user_id: int, run_ids: Sequence[int], text: str, *, add: bool = False
) -> None:
    """Replace the tags of runs with those in `text`, separated by commas, or add to them.

    Raises
    ------
    InputError
        A tag is too long, or a run would have more than MAX_TAGS.
    NotFoundError, NotAllowedError
        The user can't read or can't change a run.
    """
    tags = split_tags(text)
    for run_id in run_ids:
        run = changeable(session, user_id, Run, run_id)
        every = tuple(dict.fromkeys((*split_tags(run.tags), *tags))) if add else tags
        if len(every) > MAX_TAGS:
            raise InputError(f"A run can have at most {MAX_TAGS} tags.")
        run.tags = _stored(every)


def has_tag(tag: str) -> sa.ColumnElement[bool]:
    """Return a condition on runs."""
    return Run.tags.contains(_stored([tag]), autoescape=True)


def all_tags(session: Session, user_id: int) -> list[str]:
    """Return the tags of all runs that the user can read, in alphabetical order."""
    stored = session.scalars(
        sa.select(Run.tags).where(Run.tags != "", readable(Run, user_id)).distinct()
    )
    return sorted({tag for text in stored for tag in split_tags(text)}, key=str.casefold)


def _stored(tags: Iterable[str]) -> str:
    """Join tags so that each one is between two commas."""
    joined = ",".join(tags)
    return f",{joined}," if joined else ""
