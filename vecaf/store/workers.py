"""Worker processes and their leases. A heartbeat renews a worker's lease on its jobs."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import VecafError
from vecaf.store.models import Worker, now

LEASE_SECONDS = 10.0
"""A worker renews its lease every 2 s. After five missed renewals, others reclaim its jobs."""


class LeaseExpiredError(VecafError):
    """The worker's lease has expired; other workers can reclaim its jobs."""


def clock(session: Session) -> datetime:
    """Return the time that all workers share: the database server's, or this machine's (SQLite)."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    moment = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
    return session.execute(sa.select(moment)).scalar_one()


def register_worker(session: Session, worker_id: str, place: str) -> None:
    """Register a worker; a worker registered earlier with the same id prefix `place` is removed."""
    session.execute(sa.delete(Worker).where(Worker.id.startswith(place, autoescape=True)))
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


def renew_lease(session: Session, worker_id: str) -> float:
    """Renew the lease and return the seconds since the previous renewal.

    Raises LeaseExpiredError if the lease has expired.
    """
    worker, moment = check_lease(session, worker_id), clock(session)
    silent = (moment - worker.heartbeat_at).total_seconds()
    worker.heartbeat_at = moment
    return silent


def check_lease(session: Session, worker_id: str) -> Worker:
    """Return the worker's row, locked until the session commits, or raise LeaseExpiredError."""
    worker = session.get(Worker, worker_id, with_for_update=True, populate_existing=True)
    if worker is None:
        raise LeaseExpiredError(f"The lease of worker {worker_id} has expired.")
    return worker


def expire_leases(session: Session) -> None:
    """Remove workers that have not renewed their lease in time; they can't renew it any more."""
    limit = clock(session) - timedelta(seconds=LEASE_SECONDS)
    session.execute(sa.delete(Worker).where(Worker.heartbeat_at < limit))


def unregister_worker(session: Session, worker_id: str) -> None:
    """Remove a worker that stops, so that its lease ends at once."""
    session.execute(sa.delete(Worker).where(Worker.id == worker_id))


def other_host(session: Session) -> str | None:
    """Return the name of another machine with a live worker on this database, if there is one."""
    limit = clock(session) - timedelta(seconds=LEASE_SECONDS)
    others = sa.select(Worker.host).where(
        Worker.host != socket.gethostname(), Worker.heartbeat_at > limit
    )
    return session.scalar(others.limit(1))


def count_alive_workers(session: Session) -> int:
    """Count the workers with a valid lease."""
    limit = clock(session) - timedelta(seconds=LEASE_SECONDS)
    query = sa.select(sa.func.count()).where(Worker.heartbeat_at > limit)
    return session.execute(query).scalar_one()


def heartbeat_age(session: Session, worker_id: str | None = None) -> float | None:
    """Return the seconds since the last heartbeat of one worker, or of any; None without one."""
    query = sa.select(sa.func.max(Worker.heartbeat_at))
    if worker_id is not None:
        query = query.where(Worker.id == worker_id)
    latest = session.scalar(query)
    return None if latest is None else max(0.0, (clock(session) - latest).total_seconds())


def worker_alive(session: Session, worker_id: str | None = None) -> bool:
    """Return whether one worker, or any worker, has a valid lease."""
    age = heartbeat_age(session, worker_id)
    return age is not None and age < LEASE_SECONDS
