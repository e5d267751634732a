"""Run one attempt at a job: start its child process, watch it, and end it when necessary."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

import vecaf
from vecaf.engine.attempt import LOST_PROCESS_STATUS, NO_DATABASE_STATUS
from vecaf.engine.gpus import OWN_GPUS
from vecaf.engine.paths import discard_import, log_of
from vecaf.engine.standby import Standby
from vecaf.errors import UnavailableError, first_line
from vecaf.store import CANCELED, FAILED, Import, Store
from vecaf.store.background import is_background
from vecaf.store.jobs import (
    KINDS,
    Kind,
    StaleAttemptError,
    end_job,
    lock_attempt,
    record_crash,
    record_worker_loss,
    requeue_paused,
)

POLL_SECONDS = 0.2
RETRY_SECONDS = 2.0
CANCEL_GRACE_SECONDS = 3.0  # from SIGTERM to SIGKILL; a cancel takes at most 5 s
STOP_GRACE_SECONDS: dict[Kind, float] = {  # the worker exits within 10 s
    "run": 7.0,  # writing a checkpoint takes time
    "import": 1.0,  # imports and tasks have no checkpoints to write
    "task": 1.0,
}

logger = logging.getLogger(__name__)


class Supervisor:
    """Manages the child processes of one worker. One thread per kind of job calls `attempt`."""

    def __init__(self, store: Store, gpus: str = "") -> None:
        """Run children on `gpus`, see `vecaf.engine.gpus`."""
        self._store, self._gpus = store, gpus
        self._settings = store.settings
        self._children: dict[subprocess.Popen[bytes], tuple[Kind, int, int]] = {}
        self._standby = Standby(lambda: self._spawn([], subprocess.DEVNULL), _reap)
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    def attempt(self, kind: Kind, job_id: int, number: int) -> None:
        """Run attempt `number` at the job, and record how it ended."""
        child, problem, requeue = None, "", record_crash
        with self._lock:
            if not self.stopping.is_set():
                try:
                    child = self._start(kind, job_id, number)
                except OSError as error:  # no disk space for the log, or no memory
                    logger.exception("Could not start %s %d.", kind, job_id)
                    problem = f"Its process could not start: {error.strerror}."
        if child is not None:
            try:
                self._watch(child, kind, job_id)
            finally:
                status = _reap(child)
            log = log_of(self._settings, kind, job_id).relative_to(self._settings.home)
            problem = _describe_exit(status, f"{log} in the data folder")
            if status == NO_DATABASE_STATUS:  # not caused by the job
                requeue = record_worker_loss
        try:
            self._record_end(kind, job_id, number, problem, requeue)
        finally:
            if child is not None:
                self._children.pop(child)  # `stop` waits for this
                with self._lock:
                    self._standby.restart_idle_time()
        self.discard_upload(kind, job_id)

    def idle(self) -> None:
        """Start or end the standby process (`vecaf.engine.standby`), while no task is queued."""
        with self._lock:
            busy = any(kind != "run" for kind, _, _ in list(self._children.values()))
            if self.stopping.is_set() or busy:
                return
            try:
                self._standby.update(self._settings.standby_minutes)
            except OSError as error:  # no memory; jobs start their own processes
                logger.warning("Could not start a standby process: %s", error.strerror)

    def stop(self) -> None:
        """Let every child write a checkpoint and exit, and put their jobs back in the queue."""
        with self._lock:
            self.stopping.set()
            self._standby.end()
        deadline = time.monotonic() + max(STOP_GRACE_SECONDS.values()) + 1.5
        while self._children and time.monotonic() < deadline:
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill every child."""
        with self._lock:
            self.stopping.set()
            self._standby.end()
        for child in list(self._children):
            _kill_group(child.pid)

    def _start(self, kind: Kind, job_id: int, number: int) -> subprocess.Popen[bytes]:
        log = log_of(self._settings, kind, job_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = None
            if self._needs_libraries(kind, job_id):
                child = self._standby.assign((kind, job_id, number), log)
            if child is None:
                child = self._spawn([kind, str(job_id), str(number)], output)
        self._children[child] = (kind, job_id, number)
        return child

    def _needs_libraries(self, kind: Kind, job_id: int) -> bool:
        """Return whether a job gets the standby process.

        Imports do not need its libraries. Background tasks leave it to jobs that a user waits for.
        """
        if kind == "task":
            with self._store.read() as session:
                return not is_background(session, job_id)
        return kind == "run"

    def _spawn(self, arguments: list[str], output: BinaryIO | int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "vecaf.engine.child", *arguments],
            stdin=subprocess.PIPE,  # its end of file tells the child that the worker exited
            stdout=output,
            stderr=output,
            env=self._environment(),
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        """Return the environment of a child: settings, GPUs, and the path of this package."""
        root = str(Path(vecaf.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        own = {"PYTHONPATH": path, OWN_GPUS: self._gpus}
        return os.environ | self._settings.as_environment() | own

    def _watch(self, child: subprocess.Popen[bytes], kind: Kind, job_id: int) -> None:
        """Wait until the child exits; terminate it if the job is canceled or the worker stops."""
        while not _exited(child.pid):
            if self.stopping.is_set():
                _terminate(child.pid, STOP_GRACE_SECONDS[kind])
            elif self._canceled(kind, job_id):
                _terminate(child.pid, CANCEL_GRACE_SECONDS)
            else:
                self.stopping.wait(POLL_SECONDS)

    def _canceled(self, kind: Kind, job_id: int) -> bool:
        """Return whether the job was canceled or deleted."""
        query = sa.select(KINDS[kind].cancel_requested).where(KINDS[kind].id == job_id)
        try:
            with self._store.read() as session:
                return session.scalar(query) is not False
        except (sa.exc.SQLAlchemyError, UnavailableError) as error:  # often temporary
            logger.warning("Could not read the state of %s %d: %s", kind, job_id, first_line(error))
            self.stopping.wait(RETRY_SECONDS)
            return False

    def _record_end(
        self, kind: Kind, job_id: int, number: int, problem: str, requeue: Callable[..., None]
    ) -> None:
        """Record what the child could not: canceled, paused, or requeued because of a problem.

        Retries while the database is unreachable, because no other process does this.
        """
        while True:
            try:
                with self._store.write(exclusive=False) as session:
                    job = lock_attempt(session, kind, job_id, number)
                    if job.cancel_requested:
                        end_job(session, job, CANCELED)
                    elif self.stopping.is_set():
                        requeue_paused(session, job)
                    else:
                        requeue(session, job, problem)
            except StaleAttemptError:
                return  # the child recorded the end, or another worker owns the job
            except (sa.exc.SQLAlchemyError, UnavailableError) as error:
                logger.warning(
                    "Could not record the end of %s %d: %s", kind, job_id, first_line(error)
                )
                if self.stopping.wait(RETRY_SECONDS):
                    return  # the job is reclaimed when the lease of this worker expires
            else:
                return

    def discard_upload(self, kind: Kind, job_id: int) -> None:
        """Delete the uploaded archive of an import that has ended."""
        if kind == "import":
            with self._store.read() as session:
                job = session.get(Import, job_id)
            if job is not None and job.finished_at is not None:
                keep = job.state == FAILED
                discard_import(self._settings, job_id, job.source, keep_log=keep)


def _describe_exit(status: int, log: str) -> str:
    """Describe how a child exited that recorded no end. A negative status is a signal."""
    if status == -signal.SIGKILL:
        return (
            "The operating system killed the process, most likely because memory ran out. "
            "Try a smaller batch size, image size, or model."
        )
    if status == LOST_PROCESS_STATUS:
        return f"A training process exited. See the log: {log}."
    if status == NO_DATABASE_STATUS:
        return "The database could not be reached."
    if status < 0:
        name = signal.Signals(-status).name
        return f"The process was killed by {name}. See the log: {log}."
    return f"The process exited unexpectedly with status {status}. See the log: {log}."


def _exited(pid: int) -> bool:
    """Return whether the child has exited. Does not reap it, so that its group keeps its id."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _terminate(pid: int, grace: float) -> None:
    """Send SIGTERM to the child, and after `grace` seconds SIGKILL to its process group."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while not _exited(pid):
        if time.monotonic() > deadline:
            _kill_group(pid)
            return
        time.sleep(0.02)


def _reap(child: subprocess.Popen[bytes]) -> int:
    """Kill the rest of the child's process group, and return the exit status of the child."""
    _kill_group(child.pid)
    status = child.wait()
    if child.stdin is not None:
        child.stdin.close()
    return status


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
