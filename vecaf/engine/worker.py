"""The worker: takes jobs from the queue and has a child process do each."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from types import FrameType

import sqlalchemy as sa

from vecaf.engine.gpus import own_gpus
from vecaf.engine.locks import FileLock
from vecaf.engine.supervisor import Supervisor
from vecaf.errors import UnavailableError, first_line
from vecaf.files import convert_disk_full_errors
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.integrity import check_at_start
from vecaf.store.jobs import KINDS, Job, Kind, claim_job, reclaim
from vecaf.store.models import QUEUED, Import
from vecaf.store.workers import (
    LEASE_SECONDS,
    LeaseExpiredError,
    expire_leases,
    other_host,
    register_worker,
    renew_lease,
    unregister_worker,
)

BEAT_SECONDS = 2.0
SWEEP_EVERY = 3  # beats
LOOK_SECONDS = 0.4  # between two looks at an empty queue
PATIENCE_SECONDS = 2.0  # before a database out of reach is asked again
MAX_WORKERS_A_HOST = 64

logger = logging.getLogger(__name__)


def main(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the process then exits with status 0.

    The first signal lets children write a checkpoint and puts their jobs back on the queue; a
    second one ends everything now. A worker that was taken for dead (its machine slept, say) ends
    its children, whose writes are refused by then, and begins anew. Raises UnavailableError where
    there is no place for another worker, VecafError where the database is damaged.
    """
    store = Store.open(settings)
    check_at_start(store)
    host, number, _lock = claim(store)  # the lock is held until this process is gone
    gpus = own_gpus(settings, number)
    stop = _stop_on_signals()
    try:
        while not stop.is_set():
            serve(store, f"{host}:{number}", gpus, stop)
    except BaseException:
        logger.exception("the worker ends")
        os._exit(1)  # its children end with it
    store.close()  # SQLite puts its log into the file when the last one closes
    os._exit(0)


def serve(store: Store, place: str, gpus: str, stop: threading.Event) -> None:
    """Be one worker, under an id of its own, until `stop` is set or its lease is lost."""
    worker_id = f"{place}:{secrets.token_hex(4)}"
    with store.write(exclusive=False) as session:
        register_worker(session, worker_id, f"{place}:")
        left = reclaim(session)  # of the place's last holder; the others may just be slow
    supervisor = Supervisor(store, gpus)
    _clean(left, supervisor)
    lanes = [  # one of each at a time: an import does not wait for a run
        threading.Thread(target=_lane, args=(store, worker_id, kind, supervisor), daemon=True)
        for kind in KINDS
    ]
    for lane in lanes:
        lane.start()
    logger.info("worker %s is ready", worker_id)
    try:
        _beat_until(stop, store, worker_id, supervisor)
    except LeaseExpiredError as error:
        logger.warning("%s It begins anew.", error)
        supervisor.kill()
        for lane in lanes:
            lane.join()
        return
    supervisor.stop()
    with store.write(exclusive=False) as session:
        unregister_worker(session, worker_id)


def renew(store: Store, worker_id: str, *, sweeping: bool) -> list[Job]:
    """Renew the lease and, `sweeping`, take over the jobs of workers that are gone; those that end.

    One transaction: whoever waited long for it was no more alive than the others, who need a moment
    too, as after a sleep or a time without a database. Raises LeaseExpiredError.
    """
    with store.write(exclusive=False) as session:
        silent = renew_lease(session, worker_id)
        if not sweeping or silent > LEASE_SECONDS / 2:
            return []
        expire_leases(session)
        return reclaim(session)


def _clean(ended: list[Job], supervisor: Supervisor) -> None:
    for job in ended:
        if isinstance(job, Import):
            supervisor.clean("import", job.id)


def claim(store: Store) -> tuple[str, int, FileLock]:
    """This machine, this worker's place on it, and the lock that keeps it from being taken twice.

    Raises UnavailableError when none is free, or where the database is an SQLite file that
    another machine's worker uses: shared folders don't keep such a file sound.
    """
    host, home = socket.gethostname(), store.settings.home
    if store.engine.dialect.name == "sqlite":
        with store.read() as session:
            other = other_host(session)
        if other is not None:
            raise UnavailableError(
                f"A worker on {other} works on {home}, and SQLite serves one machine. Let "
                "DATABASE_URL point to a PostgreSQL database for workers on several."
            )
    for number in range(MAX_WORKERS_A_HOST):
        lock = FileLock(home / f"worker-{host}-{number}.lock")
        with convert_disk_full_errors():
            acquired = lock.acquire()
        if acquired:
            return host, number, lock
    raise UnavailableError(f"{MAX_WORKERS_A_HOST} workers run on {host} already.")


def _beat_until(
    stop: threading.Event, store: Store, worker_id: str, supervisor: Supervisor
) -> None:
    """Renew the lease every two seconds, and sweep now and then. Raises LeaseExpiredError."""
    beats = 0
    while not stop.wait(BEAT_SECONDS):
        beats += 1
        try:
            ended = renew(store, worker_id, sweeping=beats % SWEEP_EVERY == 0)
            _clean(ended, supervisor)
        except (sa.exc.SQLAlchemyError, OSError, UnavailableError) as error:  # it may pass
            logger.warning("no heartbeat or sweep this time: %s", first_line(error))


def _lane(store: Store, worker_id: str, kind: Kind, supervisor: Supervisor) -> None:
    """`_work`, without which this worker would hold jobs that nobody does."""
    try:
        _work(store, worker_id, kind, supervisor)
    except BaseException:
        logger.exception("the worker ends")
        os._exit(1)


def _work(store: Store, worker_id: str, kind: Kind, supervisor: Supervisor) -> None:
    """Do jobs of one kind, one after the other, until the supervisor stops."""
    while not supervisor.stopping.is_set():
        try:
            taken = _next(store, worker_id, kind)
        except LeaseExpiredError:
            return  # the heartbeat finds out, too
        except (sa.exc.SQLAlchemyError, OSError, UnavailableError) as error:
            logger.warning("could not look at the queue: %s", first_line(error))
            supervisor.stopping.wait(PATIENCE_SECONDS)
            continue
        if taken is None:
            if kind == "task":
                supervisor.idle()
            supervisor.stopping.wait(LOOK_SECONDS)
            continue
        try:
            supervisor.attempt(kind, *taken)
        except (sa.exc.SQLAlchemyError, OSError, UnavailableError):
            logger.exception("left something of %s %d behind", kind, taken[0])


def _next(store: Store, worker_id: str, kind: Kind) -> tuple[int, int] | None:
    """Take a job; an idle worker only reads."""
    with store.read() as session:
        queued = sa.select(KINDS[kind].id).where(KINDS[kind].state == QUEUED).limit(1)
        if session.scalar(queued) is None:
            return None
    with store.write(exclusive=False) as session:
        return claim_job(session, kind, worker_id)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)  # children see their standard input close, and end at once
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
