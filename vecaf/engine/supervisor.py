"""Carries a job through one attempt: starts its child process, watches it, ends it when told to."""

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
from vecaf.engine.attempt import LOST_STATUS, UNREACHED_STATUS
from vecaf.engine.gpus import OWN_GPUS
from vecaf.engine.paths import discard_import, log_of
from vecaf.engine.standby import Standby
from vecaf.errors import UnavailableError, first_line
from vecaf.store import CANCELED, FAILED, Import, Store
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
CANCEL_GRACE_SECONDS = 3.0  # from SIGTERM to SIGKILL; a cancel must be done within 5 s
STOP_GRACE_SECONDS: dict[Kind, float] = {  # the worker exits within 10 s
    "run": 7.0,  # its checkpoint may take longer than a cancel's
    "import": 1.0,  # these save nothing: they begin anew, or go on with what is written
    "task": 1.0,
}

logger = logging.getLogger(__name__)


class Supervisor:
    """The children of one worker. `attempt` is called from a thread for each kind of job."""

    def __init__(self, store: Store, gpus: str = "") -> None:
        """`gpus`: the worker's own, see `vecaf.engine.gpus`."""
        self._store, self._gpus = store, gpus
        self._settings = store.settings
        self._children: dict[subprocess.Popen[bytes], tuple[Kind, int, int]] = {}
        self._standby = Standby(lambda: self._spawn([], subprocess.DEVNULL), _reap)
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    def attempt(self, kind: Kind, job_id: int, number: int) -> None:
        """Carry the job through attempt `number`, and write how it ended."""
        child, crash, back = None, "", record_crash
        with self._lock:
            if not self.stopping.is_set():
                try:
                    child = self._start(kind, job_id, number)
                except OSError as error:  # no room for its log, no memory for a process
                    logger.exception("could not start %s %d", kind, job_id)
                    crash = f"Its process could not be started: {error.strerror}."
        if child is not None:
            try:
                self._watch(child, kind, job_id)
            finally:
                status = _reap(child)
            log = log_of(self._settings, kind, job_id).relative_to(self._settings.home)
            crash = _crash(status, f"{log}, in the studio's home")
            if status == UNREACHED_STATUS:  # no fault of the job's
                back = record_worker_loss
        try:
            self._settle(kind, job_id, number, crash, back)
        finally:
            if child is not None:
                self._children.pop(child)  # `stop` waits for this
                with self._lock:
                    self._standby.worked()
        self.clean(kind, job_id)

    def idle(self) -> None:
        """Start or end the standby process (`vecaf.engine.standby`); called when no task waits."""
        with self._lock:
            busy = any(kind != "run" for kind, _, _ in list(self._children.values()))
            if self.stopping.is_set() or busy:
                return
            try:
                self._standby.tend(self._settings.standby_minutes)
            except OSError as error:  # no memory for a process: jobs start theirs
                logger.warning("no standby process this time: %s", error.strerror)

    def stop(self) -> None:
        """Let every child write a checkpoint and exit; their jobs go back to the queue."""
        with self._lock:
            self.stopping.set()
            self._standby.end()
        deadline = time.monotonic() + max(STOP_GRACE_SECONDS.values()) + 1.5
        while self._children and time.monotonic() < deadline:
            time.sleep(0.05)

    def kill(self) -> None:
        """End every child now."""
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
            if kind != "import":  # which needs none of the libraries
                child = self._standby.take((kind, job_id, number), log)
            if child is None:
                child = self._spawn([kind, str(job_id), str(number)], output)
        self._children[child] = (kind, job_id, number)
        return child

    def _spawn(self, arguments: list[str], output: BinaryIO | int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "vecaf.engine.child", *arguments],
            stdin=subprocess.PIPE,  # its end of file tells the child that this process is gone
            stdout=output,
            stderr=output,
            env=self._environment(),
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        """The child's settings, and the place that this program was imported from."""
        root = str(Path(vecaf.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        own = {"PYTHONPATH": path, OWN_GPUS: self._gpus}
        return os.environ | self._settings.as_environment() | own

    def _watch(self, child: subprocess.Popen[bytes], kind: Kind, job_id: int) -> None:
        """Return when the child has exited, by itself or because it had to."""
        while not _exited(child.pid):
            if self.stopping.is_set():
                _terminate(child.pid, STOP_GRACE_SECONDS[kind])
            elif self._canceled(kind, job_id):
                _terminate(child.pid, CANCEL_GRACE_SECONDS)
            else:
                self.stopping.wait(POLL_SECONDS)

    def _canceled(self, kind: Kind, job_id: int) -> bool:
        """Whether the job is to be canceled, or is gone altogether."""
        query = sa.select(KINDS[kind].cancel_requested).where(KINDS[kind].id == job_id)
        try:
            with self._store.read() as session:
                return session.scalar(query) is not False
        except (sa.exc.SQLAlchemyError, UnavailableError) as error:  # it may pass
            logger.warning("could not ask about %s %d: %s", kind, job_id, first_line(error))
            self.stopping.wait(RETRY_SECONDS)
            return False

    def _settle(
        self, kind: Kind, job_id: int, number: int, crash: str, back: Callable[..., None]
    ) -> None:
        """Write what the child could not: canceled, paused, or (the sentence) how it goes `back`.

        A database out of reach is asked again, for as long as this worker works: nobody else
        would do it.
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
                        back(session, job, crash)
            except StaleAttemptError:
                return  # the child has written the end itself, or another worker has taken over
            except (sa.exc.SQLAlchemyError, UnavailableError) as error:
                logger.warning("could not end %s %d: %s", kind, job_id, first_line(error))
                if self.stopping.wait(RETRY_SECONDS):
                    return  # the job goes on when it is seen that this worker is gone
            else:
                return

    def clean(self, kind: Kind, job_id: int) -> None:
        """Delete an ended import's staged archive."""
        if kind == "import":
            with self._store.read() as session:
                job = session.get(Import, job_id)
            if job is not None and job.finished_at is not None:
                keep = job.state == FAILED
                discard_import(self._settings, job_id, job.source, keep_log=keep)


def _crash(status: int, log: str) -> str:
    """A sentence on a child that ended without a word; `status` as from waitpid, decoded."""
    if status == -signal.SIGKILL:
        return (
            "The system killed the process, most likely because memory ran out. "
            "Try a smaller batch size, image size or model."
        )
    if status == LOST_STATUS:
        return f"A process that trained along is gone. Its last words are in {log}."
    if status == UNREACHED_STATUS:
        return "The database could not be reached."
    if status < 0:
        name = signal.Signals(-status).name
        return f"The process was ended by {name}. Its last words are in {log}."
    return f"The process ended unexpectedly (exit status {status}). Its last words are in {log}."


def _exited(pid: int) -> bool:
    """Whether the child has exited; it is left unreaped, so that its process group keeps its id."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _terminate(pid: int, grace: float) -> None:
    """SIGTERM to the child, which tells its own helpers; after `grace` seconds SIGKILL to all."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while not _exited(pid):
        if time.monotonic() > deadline:
            _kill_group(pid)
            return
        time.sleep(0.02)


def _reap(child: subprocess.Popen[bytes]) -> int:
    """Kill what is left of the child's group, collect it, and return its exit status."""
    _kill_group(child.pid)
    status = child.wait()
    if child.stdin is not None:
        child.stdin.close()
    return status


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
