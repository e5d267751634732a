"""Worker processes: who is alive. A worker's heartbeat is its lease on the jobs that it took."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import VecafError
from vecaf.store.models import Worker, now

LEASE_SECONDS = 10.0
"""A worker beats every 2 s; one that missed five beats is taken for dead, and others take over."""


class LeaseExpiredError(VecafError):
    """This worker was taken for dead: what it had taken belongs to others now."""


def clock(session: Session) -> datetime:
    """The time that all workers agree on: the database's. SQLite's is this machine's."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    moment = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
    return session.execute(sa.select(moment)).scalar_one()


def register_worker(session: Session, worker_id: str, place: str) -> None:
    """Begin a worker's life. `place` begins its id, and whoever held that place before is dead."""
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
    """Renew the lease; returns how many seconds ago it was renewed before.

    Raises LeaseExpiredError once it has been taken away.
    """
    worker, moment = check_lease(session, worker_id), clock(session)
    silent = (moment - worker.heartbeat_at).total_seconds()
    worker.heartbeat_at = moment
    return silent


def check_lease(session: Session, worker_id: str) -> Worker:
    """The worker's row, locked against its burial until the session commits; LeaseExpiredError."""
    worker = session.get(Worker, worker_id, with_for_update=True, populate_existing=True)
    if worker is None:
        raise LeaseExpiredError(f"Worker {worker_id} was silent too long and was taken for dead.")
    return worker


def expire_leases(session: Session) -> None:
    """Take the leases of workers that have been silent too long. None ever gets its own back."""
    limit = clock(session) - timedelta(seconds=LEASE_SECONDS)
    session.execute(sa.delete(Worker).where(Worker.heartbeat_at < limit))


def unregister_worker(session: Session, worker_id: str) -> None:
    """Remove a worker that stops, so that nobody waits for its heartbeat to grow old."""
    session.execute(sa.delete(Worker).where(Worker.id == worker_id))


def other_host(session: Session) -> str | None:
    """The name of another machine that has a worker on this database, if there is one."""
    limit = clock(session) - timedelta(seconds=LEASE_SECONDS)
    others = sa.select(Worker.host).where(
        Worker.host != socket.gethostname(), Worker.heartbeat_at > limit
    )
    return session.scalar(others.limit(1))


def count_alive_workers(session: Session) -> int:
    """How many workers are alive."""
    limit = clock(session) - timedelta(seconds=LEASE_SECONDS)
    query = sa.select(sa.func.count()).where(Worker.heartbeat_at > limit)
    return session.execute(query).scalar_one()


def heartbeat_age(session: Session, worker_id: str | None = None) -> float | None:
    """Seconds since a worker was last alive (the freshest, or the one named); None: no such one."""
    query = sa.select(sa.func.max(Worker.heartbeat_at))
    if worker_id is not None:
        query = query.where(Worker.id == worker_id)
    latest = session.scalar(query)
    return None if latest is None else max(0.0, (clock(session) - latest).total_seconds())


def worker_alive(session: Session, worker_id: str | None = None) -> bool:
    """Whether at least one worker is alive, or the one named is."""
    age = heartbeat_age(session, worker_id)
    return age is not None and age < LEASE_SECONDS
