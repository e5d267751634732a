"""Read a run's metrics and log from the database."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store import Event, Metric


def metrics_of(session: Session, run_id: int) -> Sequence[Metric]:
    """Return the metrics of a run in the order of writing."""
    return session.scalars(
        sa.select(Metric).where(Metric.run_id == run_id).order_by(Metric.id)
    ).all()


def events_of(session: Session, run_id: int) -> Sequence[Event]:
    """Return the lines of a run's log, oldest first."""
    return session.scalars(sa.select(Event).where(Event.run_id == run_id).order_by(Event.id)).all()
