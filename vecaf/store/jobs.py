"""The life of a job (run, import or task), from queued to ended, and its attempt numbers.

The three tables are the queue. The worker starts the oldest queued row and increments its attempt
number. Every later write by the process of the job names its attempt, so that an outdated attempt
can't write (a fencing token).

Call every function here in a `Store.write()` session. None of them commits.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import VecafError
from vecaf.store.background import may_start
from vecaf.store.models import (
    CANCELED,
    ENDED,
    FAILED,
    FINISHED,
    QUEUED,
    RUNNING,
    Event,
    Import,
    Run,
    Task,
    now,
)
from vecaf.store.workers import worker_alive

Job = Run | Import | Task
Kind = Literal["run", "import", "task"]
KINDS: dict[Kind, type[Job]] = {"run": Run, "import": Import, "task": Task}
_ANY_QUEUED = sa.select(sa.or_(*(sa.exists().where(m.state == QUEUED) for m in KINDS.values())))
IN_QUEUE = "waiting in the queue"
MAX_CRASHES = 3
MAX_LOSSES = 100  # high, since the loss of a process may have other causes: power cuts, restarts


class StaleAttemptError(VecafError):
    """A newer attempt owns the job, or the job has ended, so this attempt must not write."""


def next_queued(session: Session, kind: Kind) -> Job | None:
    """Return the queued job of a kind that starts next."""
    model: type[Job] = KINDS[kind]
    query = sa.select(model).where(model.state == QUEUED).order_by(model.id).limit(1)
    job = session.scalar(query.where(may_start()) if kind == "task" else query)
    assert job is None or isinstance(job, Run | Import | Task)
    return job


def any_queued(session: Session) -> bool:
    """Return whether a job of any kind is queued. It costs less than `next_queued` of each kind."""
    return bool(session.scalar(_ANY_QUEUED))


def start_attempt(session: Session, kind: Kind, job_id: int, worker_id: str) -> int | None:
    """Start the next attempt at a job and return its number.

    Returns None if there is nothing to do: the job was deleted, has ended, or is canceled now.
    """
    job = _locked(session, kind, job_id)
    if job is None or job.state in ENDED:
        return None
    if job.cancel_requested:
        end_job(session, job, CANCELED)
        return None
    job.attempt += 1
    job.worker, job.node = worker_id, None
    job.state, job.stage, job.done, job.total = RUNNING, "starting", 0, 0
    if isinstance(job, Run | Task) and job.started_at is None:
        job.started_at = now()
    log_event(session, job, "Started." if job.attempt == 1 else f"Resumed (attempt {job.attempt}).")
    return job.attempt


def lock_attempt(session: Session, kind: Kind, job_id: int, attempt: int) -> Job:
    """Return the job, locked until the session commits, if `attempt` can still write.

    Raises StaleAttemptError otherwise, so that the caller's session commits nothing.
    """
    job = _locked(session, kind, job_id)
    if job is None or job.attempt != attempt or job.state != RUNNING:
        raise StaleAttemptError(
            f"Attempt {attempt} of {kind} {job_id} has ended. Its last writes were discarded."
        )
    return job


def end_job(session: Session, job: Job, state: str, error: str | None = None) -> None:
    """Set a job's final `state`, with an error message if it failed.

    An import whose dataset exists is finished, even if its process died before it reported that.
    """
    if isinstance(job, Import) and job.dataset_id is not None:
        state, error = FINISHED, None
    job.state, job.stage, job.error, job.finished_at = state, "", error, now()
    job.worker, job.node, job.done, job.total = None, None, 0, 0
    if state == FAILED:
        log_event(session, job, f"Failed: {error}", "error")
    else:
        log_event(session, job, "Finished." if state == FINISHED else "Canceled.")


def requeue_paused(session: Session, job: Job) -> None:
    """Return a job to the queue: its worker is stopping, or it is a background task that yields.

    The next worker resumes it.
    """
    _queue_again(job)
    log_event(session, job, "Paused: the worker is stopping. The next worker resumes the job.")


def record_crash(session: Session, job: Job, why: str) -> None:
    """Return a job to the queue after a crash, or fail it after MAX_CRASHES."""
    job.crashes += 1
    if job.crashes >= MAX_CRASHES:
        end_job(session, job, FAILED, f"{why} (Tried {job.crashes} times.)")
    else:
        log_event(session, job, f"Attempt {job.attempt} crashed. {why}", "error")
        _queue_again(job)


def record_loss(session: Session, job: Job, why: str) -> None:
    """Return a job to the queue after it lost its process, or fail it after MAX_LOSSES."""
    job.losses += 1
    if job.losses >= MAX_LOSSES:
        end_job(
            session, job, FAILED,
            f"The process of the job was lost {job.losses} times, so the job was stopped. See the "
            "log of the worker, then resume the job.",
        )  # fmt: skip
    else:
        log_event(session, job, why)
        _queue_again(job)


def running_jobs(session: Session) -> list[tuple[Kind, Job]]:
    """Return the jobs that the database records as running."""
    found: list[tuple[Kind, Job]] = []
    for kind, model in KINDS.items():
        for job in session.scalars(sa.select(model).where(model.state == RUNNING)):
            assert isinstance(job, Run | Import | Task)
            found.append((kind, job))
    return found


def request_cancel(session: Session, job: Job) -> str:
    """Cancel a job, or ask the worker that started it to do so; return the job's state.

    Without a live worker the job ends at once. If its process is still alive, for example on a
    cluster, it can't write any more and stops.
    """
    if job.state in ENDED:
        return job.state
    if job.state == QUEUED or job.worker is None or not worker_alive(session, job.worker):
        job.attempt += 1
        end_job(session, job, CANCELED)
    elif not job.cancel_requested:
        log_event(session, job, "Cancellation requested.")
    job.cancel_requested = True
    return job.state


def requeue(session: Session, job: Job) -> None:
    """Queue an ended job again and reset its counts of crashes and losses."""
    job.error = job.finished_at = None
    job.cancel_requested = False
    job.crashes = job.losses = 0
    _queue_again(job)
    job.stage = ""
    log_event(session, job, "Queued again.")


def log_event(session: Session, job: Job, message: str, level: str = "info") -> None:
    """Add a line to a run's log; imports and tasks have no log in the database."""
    if isinstance(job, Run):
        session.add(Event(run_id=job.id, level=level, message=message))


def _locked(session: Session, kind: Kind, job_id: int) -> Job | None:
    # PostgreSQL needs FOR UPDATE. On SQLite, a write session already holds the only write lock.
    model: type[Job] = KINDS[kind]
    job = session.get(model, job_id, with_for_update=True, populate_existing=True)
    assert job is None or isinstance(job, Run | Import | Task)
    return job


def _queue_again(job: Job) -> None:
    job.state, job.stage, job.done, job.total = QUEUED, IN_QUEUE, 0, 0
    job.worker = job.node = None
