"""The worker that serves this database, and its heartbeat."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.models import Worker, now

SILENT_SECONDS = 10.0
"""A worker sends a heartbeat every 2 s. After five missed ones, pages say that no worker runs."""


def clock(session: Session) -> datetime:
    """Return the time of the database server, or of this machine (SQLite)."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    moment = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
    return session.execute(sa.select(moment)).scalar_one()


def register_worker(session: Session, worker_id: str) -> None:
    """Register the worker in place of all others; they exit at their next heartbeat."""
    session.execute(sa.delete(Worker))
    moment = clock(session)
    session.add(
        Worker(
            id=worker_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=moment,
            heartbeat_at=moment,
        )
    )


def send_heartbeat(session: Session, worker_id: str) -> bool:
    """Record that the worker is alive. Returns False if another worker has replaced it."""
    mine = sa.update(Worker).where(Worker.id == worker_id).values(heartbeat_at=clock(session))
    return session.scalar(mine.returning(Worker.id)) is not None


def unregister_worker(session: Session, worker_id: str) -> None:
    """Remove a worker that stops."""
    session.execute(sa.delete(Worker).where(Worker.id == worker_id))


def other_host(session: Session) -> str | None:
    """Return the name of another machine with a live worker on this database, if there is one."""
    limit = clock(session) - timedelta(seconds=SILENT_SECONDS)
    others = sa.select(Worker.host).where(
        Worker.host != socket.gethostname(), Worker.heartbeat_at > limit
    )
    return session.scalar(others.limit(1))


def heartbeat_age(session: Session, worker_id: str | None = None) -> float | None:
    """Return the seconds since the last heartbeat of one worker, or of any; None without one."""
    query = sa.select(sa.func.max(Worker.heartbeat_at))
    if worker_id is not None:
        query = query.where(Worker.id == worker_id)
    latest = session.scalar(query)
    return None if latest is None else max(0.0, (clock(session) - latest).total_seconds())


def worker_alive(session: Session, worker_id: str | None = None) -> bool:
    """Return whether one worker, or any worker, has sent a heartbeat lately."""
    age = heartbeat_age(session, worker_id)
    return age is not None and age < SILENT_SECONDS
