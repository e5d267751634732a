"""The worker: the process that executes the jobs of one data folder on an engine."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from types import FrameType

import sqlalchemy as sa

from vecaf.engine.dispatcher import Dispatcher
from vecaf.engine.engines import create_engine
from vecaf.engine.locks import FileLock
from vecaf.engine.protocol import Engine
from vecaf.errors import UnavailableError, first_line
from vecaf.files import convert_disk_full_errors
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.integrity import check_at_start
from vecaf.store.workers import (
    other_host,
    register_worker,
    send_heartbeat,
    unregister_worker,
)

HEARTBEAT_SECONDS = 2.0
IDLE_POLL_SECONDS = 0.4  # at least, while no job runs
LOCK_POLL_SECONDS = 0.2
RETRY_SECONDS = 2.0  # pause after an error of the database or the engine

TEMPORARY = (sa.exc.SQLAlchemyError, OSError, UnavailableError)

logger = logging.getLogger(__name__)


def main(settings: Settings) -> None:
    """Execute jobs until SIGTERM or SIGINT, then exit with status 0.

    The first signal lets running jobs write checkpoints and puts them back in the queue; a second
    one ends everything at once. A data folder has one worker. A second one waits and takes over
    when the first exits.

    Raises
    ------
    UnavailableError
        No worker can run here.
    VecafError
        The database is damaged.
    """
    store = Store.open(settings)
    check_at_start(store)
    stop = _stop_on_signals()
    lock = wait_for_lock(store, stop)
    if lock is not None:
        engine = create_engine(settings)
        try:
            serve(store, engine, stop)
        except BaseException:
            logger.exception("The worker exits.")
            engine.close()
            os._exit(1)
    store.close()  # the last connection to close merges the write-ahead log of SQLite
    os._exit(0)


def wait_for_lock(store: Store, stop: threading.Event) -> FileLock | None:
    """Wait until no other worker serves the data folder; return the lock, or None after `stop`.

    Raises
    ------
    UnavailableError
        A worker on another machine uses the same SQLite file, which can damage it.
    """
    home = store.settings.home
    if store.engine.dialect.name == "sqlite":
        with store.read() as session:
            other = other_host(session)
        if other is not None:
            raise UnavailableError(
                f"A worker on {other} already uses {home}, and SQLite supports only one machine. "
                "To move the worker between machines, set DATABASE_URL to a PostgreSQL database."
            )
    lock = FileLock(home / "worker.lock")
    waiting = False
    while not stop.is_set():
        with convert_disk_full_errors():
            if lock.acquire():
                return lock
        if not waiting:
            pid, host = lock.holder()
            logger.info(
                "Another worker (process %s on %s) serves this data folder. This worker takes over "
                "when that one exits.", pid, host,
            )  # fmt: skip
        waiting = True
        stop.wait(LOCK_POLL_SECONDS)
    return None


def serve(store: Store, engine: Engine, stop: threading.Event) -> None:
    """Register as the worker, and dispatch jobs until `stop` is set."""
    worker_id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    with store.write(exclusive=False) as session:
        register_worker(session, worker_id)
    ended = threading.Event()
    heartbeats = threading.Thread(
        target=_send_heartbeats, args=(store, worker_id, ended), daemon=True
    )
    heartbeats.start()
    dispatcher = Dispatcher(store, engine, worker_id)
    reconciled, shown = False, ""
    logger.info("Worker %s is ready.", worker_id)
    while not stop.is_set():
        try:
            if not reconciled:
                dispatcher.reconcile()
                reconciled = True
            dispatcher.step()
        except TEMPORARY as error:
            if shown != first_line(error):
                shown = first_line(error)
                logger.warning("Could not dispatch jobs: %s", shown)
            if isinstance(error, UnavailableError):
                _show_on_pages(dispatcher, str(error))
            stop.wait(RETRY_SECONDS)
        else:
            shown = ""
            pause = engine.poll_seconds
            stop.wait(pause if dispatcher.busy else max(pause, IDLE_POLL_SECONDS))
    try:
        dispatcher.pause()
        ended.set()  # a heartbeat after the next line would look like that of a replaced worker
        heartbeats.join()
        with store.write(exclusive=False) as session:
            unregister_worker(session, worker_id)
    except TEMPORARY as error:  # the next worker queues the jobs again
        logger.warning("Could not record that the worker stops: %s", first_line(error))
    engine.close()


def _show_on_pages(dispatcher: Dispatcher, obstacle: str) -> None:
    try:
        dispatcher.show_obstacle(obstacle)
    except TEMPORARY as error:
        logger.warning("Could not show why jobs wait: %s", first_line(error))


def _send_heartbeats(store: Store, worker_id: str, ended: threading.Event) -> None:
    """Show that the worker is alive; exit if another worker has replaced it."""
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            with store.write(exclusive=False) as session:
                current = send_heartbeat(session, worker_id)
        except TEMPORARY as error:
            logger.warning("Could not send a heartbeat: %s", first_line(error))
            continue
        if not current:
            logger.error("Another worker has taken over this data folder. This one exits.")
            os._exit(1)  # its children exit with it


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)  # children exit when their standard input closes
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
