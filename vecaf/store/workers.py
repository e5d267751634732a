"""Worker processes: who is alive."""

from __future__ import annotations

import os
import socket
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.models import Worker, now

ALIVE_SECONDS = 10.0
"""A worker beats every 2 s; one that missed five beats is taken for dead."""


def beat(session: Session, worker_id: str, started_at: datetime) -> None:
    """Record that this process is the worker `worker_id` and is alive."""
    session.merge(
        Worker(
            id=worker_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=started_at,
            heartbeat_at=now(),
        )
    )


def forget(session: Session, worker_id: str) -> None:
    """Remove a worker that stops, so that nobody waits for its heartbeat to grow old."""
    session.execute(sa.delete(Worker).where(Worker.id == worker_id))


def heartbeat_age(session: Session) -> float | None:
    """Seconds since a worker was last alive (the freshest of them); None where there is none."""
    latest = session.scalar(sa.select(sa.func.max(Worker.heartbeat_at)))
    return None if latest is None else max(0.0, (now() - latest).total_seconds())


def worker_alive(session: Session) -> bool:
    """Whether at least one worker is alive."""
    age = heartbeat_age(session)
    return age is not None and age < ALIVE_SECONDS
