"""The worker: takes jobs from the queue and has a child process do each."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from types import FrameType

import sqlalchemy as sa

from vecaf.errors import UnavailableError
from vecaf.jobs.locks import FileLock
from vecaf.jobs.queue import APPLICATION, QUEUES, VERSION, WORKFLOW, queue_url, reconcile
from vecaf.jobs.supervisor import Supervisor
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.jobs import Kind
from vecaf.store.models import now
from vecaf.store.workers import beat, forget

BEAT_SECONDS = 2.0
SWEEP_EVERY = 3  # beats
MAX_CRASHES = 3
MAX_WORKERS_A_HOST = 64

logger = logging.getLogger(__name__)


def main(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the process then exits with status 0.

    The first signal lets children write a checkpoint and puts their jobs back on the queue; a
    second one ends everything now. Raises UnavailableError if this home has a worker already.
    """
    store = Store.open(settings)
    worker_id, _lock = claim(settings)  # the lock is held until this process is gone
    supervisor = Supervisor(store)
    stop = _stop_on_signals(supervisor)
    _launch(settings, worker_id, supervisor)
    logger.info("worker %s is ready", worker_id)
    try:
        _beat_until(stop, store, worker_id)
        supervisor.stop()
        with store.write() as session:
            forget(session, worker_id)
    except BaseException:
        logger.exception("the worker ends")
        supervisor.kill()
        os._exit(1)
    # Workflows under way must stay unfinished, so DBOS gets no chance to end them. Exiting like
    # this is safe at any moment, as kill -9 is.
    os._exit(0)


def _beat_until(stop: threading.Event, store: Store, worker_id: str) -> None:
    """Say every two seconds that this worker lives, and sweep for jobs that the queue lacks."""
    from dbos import error as dbos_error

    started_at, beats = now(), 0
    while not stop.is_set():
        try:
            with store.write() as session:
                beat(session, worker_id, started_at)
            if beats % SWEEP_EVERY == 0:
                reconcile(store)
        except (
            sa.exc.SQLAlchemyError,
            dbos_error.DBOSException,
            OSError,
        ):  # a full disk …: it may pass
            logger.exception("no heartbeat or sweep this time")
        beats += 1
        stop.wait(BEAT_SECONDS)


def claim(settings: Settings) -> tuple[str, FileLock]:
    """This worker's stable id, and the lock that keeps it from being used twice.

    A home on SQLite has one worker, so its id never changes and it always recovers its own jobs.
    On PostgreSQL each host has numbered places. Raises UnavailableError when none is free.
    """
    if settings.database_url.startswith("sqlite"):
        lock = FileLock(settings.home / "worker.lock")
        if lock.acquire():
            return "worker", lock
        pid, host = lock.holder()
        raise UnavailableError(
            f"A worker already runs on {settings.home} (process {pid} on {host}). "
            "One is enough; stop it first, or set VECAF_HOME to another folder."
        )
    host = socket.gethostname()
    for place in range(MAX_WORKERS_A_HOST):
        lock = FileLock(settings.home / f"worker-{host}-{place}.lock")
        if lock.acquire():
            return f"{host}-{place}", lock
    raise UnavailableError(f"{MAX_WORKERS_A_HOST} workers run on {host} already.")


def _launch(settings: Settings, worker_id: str, supervisor: Supervisor) -> None:
    """Start DBOS: it recovers this worker's unfinished workflows and polls the queues."""
    from dbos import DBOS, DBOSPortableJSONSerializer, StepOptions

    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": queue_url(settings),
            "application_version": VERSION,
            "executor_id": worker_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }
    )

    # A step raises only where the worker itself fails, its database out of reach for example.
    options = StepOptions(
        name="attempt", retries_allowed=True, max_attempts=5, interval_seconds=2.0
    )

    @DBOS.workflow(name=WORKFLOW)
    def job(kind: Kind, job_id: int, submission: int) -> None:
        """Attempts are steps: how often a job has crashed survives the worker."""
        crash = None
        for _ in range(MAX_CRASHES):
            crash = DBOS.run_step(options, supervisor.attempt, kind, job_id, submission)
            if crash is None:
                return
        supervisor.fail(kind, job_id, submission, f"{crash} (Tried {MAX_CRASHES} times.)")

    DBOS.launch()
    for queue in QUEUES.values():  # one of each at a time: an import does not wait for a run
        DBOS.register_queue(queue, worker_concurrency=1, polling_interval_sec=0.5)


def _stop_on_signals(supervisor: Supervisor) -> threading.Event:
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            supervisor.kill()
            os._exit(1)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
