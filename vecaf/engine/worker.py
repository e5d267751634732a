"""The worker: claims jobs from the queue and runs each in a child process."""

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
from vecaf.store.jobs import KINDS, Job, Kind, claim_job, oldest_queued, reclaim
from vecaf.store.models import Import
from vecaf.store.workers import (
    LEASE_SECONDS,
    LeaseExpiredError,
    expire_leases,
    other_host,
    register_worker,
    renew_lease,
    unregister_worker,
)

HEARTBEAT_SECONDS = 2.0
RECLAIM_EVERY = 3  # heartbeats
POLL_SECONDS = 0.4  # pause while the queue is empty
RETRY_SECONDS = 2.0  # pause after an error of the database
MAX_WORKERS_PER_HOST = 64

logger = logging.getLogger(__name__)


def main(settings: Settings) -> None:
    """Process jobs until SIGTERM or SIGINT, then exit with status 0.

    The first signal lets child processes write checkpoints and puts their jobs back in the queue; a
    second one ends everything at once. If the lease of the worker expires, for example because its
    machine was asleep, it kills its children and starts again under a new id.

    Raises
    ------
    UnavailableError
        No further worker can run here.
    VecafError
        The database is damaged.
    """
    store = Store.open(settings)
    check_at_start(store)
    host, slot, _lock = claim_slot(store)  # holds the lock until this process exits
    gpus = own_gpus(settings, slot)
    stop = _stop_on_signals()
    try:
        while not stop.is_set():
            process_jobs(store, f"{host}:{slot}", gpus, stop)
    except BaseException:
        logger.exception("The worker exits.")
        os._exit(1)  # its children exit with it
    store.close()  # the last connection to close merges the write-ahead log of SQLite
    os._exit(0)


def process_jobs(store: Store, slot: str, gpus: str, stop: threading.Event) -> None:
    """Process jobs under a new worker id until `stop` is set or the lease expires."""
    worker_id = f"{slot}:{secrets.token_hex(4)}"
    with store.write(exclusive=False) as session:
        register_worker(session, worker_id, f"{slot}:")
        ended = reclaim(session)  # jobs of an earlier worker in this slot
    supervisor = Supervisor(store, gpus)
    _discard_uploads(ended, supervisor)
    threads = [  # one per kind, so that imports do not wait for runs
        threading.Thread(
            target=_thread_main, args=(store, worker_id, kind, supervisor), daemon=True
        )
        for kind in KINDS
    ]
    for thread in threads:
        thread.start()
    logger.info("Worker %s is ready.", worker_id)
    try:
        _send_heartbeats(stop, store, worker_id, supervisor)
    except LeaseExpiredError as error:
        logger.warning("%s It restarts.", error)
        supervisor.kill()
        for thread in threads:
            thread.join()
        return
    supervisor.stop()
    with store.write(exclusive=False) as session:
        unregister_worker(session, worker_id)


def renew(store: Store, worker_id: str, *, reclaiming: bool) -> list[Job]:
    """Renew the lease and, if `reclaiming`, requeue the jobs of workers whose lease has expired.

    If the own lease was renewed late, for example after the machine was asleep, other workers may
    be late too; then nothing is reclaimed this time.

    Returns
    -------
    Jobs that ended instead of being requeued.

    Raises
    ------
    LeaseExpiredError
        The own lease has expired.
    """
    with store.write(exclusive=False) as session:
        silent = renew_lease(session, worker_id)
        if not reclaiming or silent > LEASE_SECONDS / 2:
            return []
        expire_leases(session)
        return reclaim(session)


def _discard_uploads(ended: list[Job], supervisor: Supervisor) -> None:
    for job in ended:
        if isinstance(job, Import):
            supervisor.discard_upload("import", job.id)


def claim_slot(store: Store) -> tuple[str, int, FileLock]:
    """Claim a slot for a worker on this machine.

    Returns
    -------
    The host name, the number of the slot, and the lock on it.

    Raises
    ------
    UnavailableError
        No slot is free, or a worker on another machine uses the same SQLite file, which can
        damage it.
    """
    host, home = socket.gethostname(), store.settings.home
    if store.engine.dialect.name == "sqlite":
        with store.read() as session:
            other = other_host(session)
        if other is not None:
            raise UnavailableError(
                f"A worker on {other} already uses {home}, and SQLite supports only one machine. "
                "To run workers on several machines, set DATABASE_URL to a PostgreSQL database."
            )
    for slot in range(MAX_WORKERS_PER_HOST):
        lock = FileLock(home / f"worker-{host}-{slot}.lock")
        with convert_disk_full_errors():
            acquired = lock.acquire()
        if acquired:
            return host, slot, lock
    raise UnavailableError(
        f"{MAX_WORKERS_PER_HOST} workers already run on {host}, which is the maximum."
    )


def _send_heartbeats(
    stop: threading.Event, store: Store, worker_id: str, supervisor: Supervisor
) -> None:
    """Renew the lease and reclaim jobs until `stop` is set. Raises LeaseExpiredError."""
    heartbeats = 0
    while not stop.wait(HEARTBEAT_SECONDS):
        heartbeats += 1
        try:
            ended = renew(store, worker_id, reclaiming=heartbeats % RECLAIM_EVERY == 0)
            _discard_uploads(ended, supervisor)
        except (sa.exc.SQLAlchemyError, OSError, UnavailableError) as error:  # often temporary
            logger.warning("Could not send a heartbeat: %s", first_line(error))


def _thread_main(store: Store, worker_id: str, kind: Kind, supervisor: Supervisor) -> None:
    """Run `_process_kind`. After an error the worker exits, so that others reclaim its jobs."""
    try:
        _process_kind(store, worker_id, kind, supervisor)
    except BaseException:
        logger.exception("The worker exits.")
        os._exit(1)


def _process_kind(store: Store, worker_id: str, kind: Kind, supervisor: Supervisor) -> None:
    """Process jobs of one kind, one at a time, until the supervisor stops."""
    while not supervisor.stopping.is_set():
        try:
            claimed = _claim_next(store, worker_id, kind)
        except LeaseExpiredError:
            return  # the heartbeat raises the same error
        except (sa.exc.SQLAlchemyError, OSError, UnavailableError) as error:
            logger.warning("Could not read the queue: %s", first_line(error))
            supervisor.stopping.wait(RETRY_SECONDS)
            continue
        if claimed is None:
            if kind == "task":
                supervisor.idle()
            supervisor.stopping.wait(POLL_SECONDS)
            continue
        try:
            supervisor.attempt(kind, *claimed)
        except (sa.exc.SQLAlchemyError, OSError, UnavailableError):
            logger.exception("Could not clean up after %s %d.", kind, claimed[0])


def _claim_next(store: Store, worker_id: str, kind: Kind) -> tuple[int, int] | None:
    """Claim the next job, if any; an idle worker only reads the database."""
    with store.read() as session:
        if session.scalar(oldest_queued(kind)) is None:
            return None
    with store.write(exclusive=False) as session:
        return claim_job(session, kind, worker_id)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)  # children exit when their standard input closes
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
