"""What runs, imports and tasks share: the way from queued to an end, and the fence on writers.

Their tables are the queue. A worker takes the oldest queued row, which raises its attempt: every
later write of a child process names the attempt that may make it, in its own transaction. A worker
holds what it took for as long as its heartbeat is fresh; then another sweeps it up.

Every function here works inside a `Store.write()` session of the caller and commits nothing itself.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import VecafError
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
    Worker,
    now,
)
from vecaf.store.workers import check_lease, worker_alive

Job = Run | Import | Task
Kind = Literal["run", "import", "task"]
KINDS: dict[Kind, type[Job]] = {"run": Run, "import": Import, "task": Task}
MAX_CRASHES = 3
MAX_LOSSES = 100  # a worker that goes may be no fault of the job's: power cuts, restarts


class StaleAttemptError(VecafError):
    """A newer attempt owns the job, or it has ended: this one must not write any more."""


def claim_job(session: Session, kind: Kind, worker_id: str) -> tuple[int, int] | None:
    """Take the oldest queued job for a worker: (id, attempt), or None where there is none.

    Raises LeaseExpiredError where the worker has been taken for dead.
    """
    check_lease(session, worker_id)
    model = KINDS[kind]
    oldest = sa.select(model.id).where(model.state == QUEUED).order_by(model.id).limit(1)
    # What another worker is about to take is passed over; SQLite lets in one writer at a time.
    job_id = session.scalar(oldest.with_for_update(skip_locked=True))
    if job_id is None:
        return None
    attempt = start_attempt(session, kind, job_id, worker_id)
    return None if attempt is None else (job_id, attempt)


def start_attempt(session: Session, kind: Kind, job_id: int, worker_id: str) -> int | None:
    """Start the next attempt at a job and return its number, which fences every later write.

    None where there is nothing to do: the job is gone, ended or canceled.
    """
    job = _locked(session, kind, job_id)
    if job is None or job.state in ENDED:
        return None
    if job.cancel_requested:
        end_job(session, job, CANCELED)
        return None
    job.attempt += 1
    job.worker = worker_id
    job.state, job.stage, job.done, job.total = RUNNING, "starting", 0, 0
    if isinstance(job, Run | Task) and job.started_at is None:
        job.started_at = now()
    log_event(session, job, "Started." if job.attempt == 1 else f"Goes on (attempt {job.attempt}).")
    return job.attempt


def lock_attempt(session: Session, kind: Kind, job_id: int, attempt: int) -> Job:
    """The job, locked until the session commits, if `attempt` is still the one that may write.

    Raises StaleAttemptError otherwise, so nothing in the caller's session is committed.
    """
    job = _locked(session, kind, job_id)
    if job is None or job.attempt != attempt or job.state != RUNNING:
        raise StaleAttemptError(
            f"Attempt {attempt} of {kind} {job_id} is over; what it still wrote was refused."
        )
    return job


def end_job(session: Session, job: Job, state: str, error: str | None = None) -> None:
    """Bring the job to a terminal `state`, with the sentence that says why where it failed.

    An import whose dataset is there has finished, though its process ended before it said so.
    """
    if isinstance(job, Import) and job.dataset_id is not None:
        state, error = FINISHED, None
    job.state, job.stage, job.error, job.finished_at = state, "", error, now()
    job.worker, job.done, job.total = None, 0, 0
    if state == FAILED:
        log_event(session, job, f"Failed: {error}", "error")
    else:
        log_event(session, job, "Finished." if state == FINISHED else "Canceled.")


def requeue_paused(session: Session, job: Job) -> None:
    """Back to the queue: its worker is stopping, and the next one goes on from here."""
    _queue_again(job)
    log_event(session, job, "Paused: the worker is stopping. It goes on when a worker starts.")


def record_crash(session: Session, job: Job, why: str) -> None:
    """Back to the queue after a crash, or to its end where it has crashed too often."""
    job.crashes += 1
    if job.crashes >= MAX_CRASHES:
        end_job(session, job, FAILED, f"{why} (Tried {job.crashes} times.)")
    else:
        log_event(session, job, f"Attempt {job.attempt} crashed. {why}", "error")
        _queue_again(job)


def record_worker_loss(session: Session, job: Job, why: str) -> None:
    """Back to the queue after what may be no fault of the job's, or to its end after too much."""
    job.losses += 1
    if job.losses >= MAX_LOSSES:
        end_job(session, job, FAILED, "It was started many times and never came to an end.")
    else:
        log_event(session, job, why)
        _queue_again(job)


def reclaim(session: Session) -> list[Job]:
    """Queue again what workers that are gone were doing; returns those jobs that end instead.

    A job ends where its cancel was asked for, or where too many workers were lost over it.
    """
    ended: list[Job] = []
    for model in KINDS.values():
        orphaned = sa.or_(model.worker.is_(None), model.worker.not_in(sa.select(Worker.id)))
        query = sa.select(model).where(model.state == RUNNING, orphaned)
        # A row that somebody holds is looked at again by the next sweep.
        for job in session.scalars(query.with_for_update(skip_locked=True)):
            assert isinstance(job, Run | Import | Task)
            if job.cancel_requested:
                end_job(session, job, CANCELED)
            else:
                record_worker_loss(
                    session, job, "Its worker is gone. It goes on with the next free one."
                )
            if job.state in ENDED:
                ended.append(job)
    return ended


def request_cancel(session: Session, job: Job) -> str:
    """Cancel at once where nothing executes the job; else ask its worker to. Returns the state.

    Where its worker is dead the job ends, which shuts out one that only seems so.
    """
    if job.state in ENDED:
        return job.state
    if job.state == QUEUED or job.worker is None or not worker_alive(session, job.worker):
        job.attempt += 1
        end_job(session, job, CANCELED)
    elif not job.cancel_requested:
        log_event(session, job, "Cancel was asked for.")
    job.cancel_requested = True
    return job.state


def requeue(session: Session, job: Job) -> None:
    """Queue an ended job again, as if it had never failed."""
    job.error = job.finished_at = None
    job.cancel_requested = False
    job.crashes = job.losses = 0
    _queue_again(job)
    job.stage = ""
    log_event(session, job, "Queued again.")


def log_event(session: Session, job: Job, message: str, level: str = "info") -> None:
    """Add a line to a run's log; the others have none."""
    if isinstance(job, Run):
        session.add(Event(run_id=job.id, level=level, message=message))


def _locked(session: Session, kind: Kind, job_id: int) -> Job | None:
    # FOR UPDATE is what PostgreSQL needs; SQLite's write sessions hold the write lock already.
    model: type[Job] = KINDS[kind]
    job = session.get(model, job_id, with_for_update=True, populate_existing=True)
    assert job is None or isinstance(job, Run | Import | Task)
    return job


def _queue_again(job: Job) -> None:
    job.state, job.stage, job.done, job.total = QUEUED, "waiting for a worker", 0, 0
    job.worker = None
