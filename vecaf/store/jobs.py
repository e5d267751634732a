"""What runs, imports and tasks share: the way from queued to an end, and the fence on writers.

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
    now,
)

Job = Run | Import | Task
Kind = Literal["run", "import", "task"]
KINDS: dict[Kind, type[Job]] = {"run": Run, "import": Import, "task": Task}


class StaleAttemptError(VecafError):
    """A newer attempt owns the job, or it has ended: this one must not write any more."""


def begin(session: Session, kind: Kind, job_id: int, submission: int) -> int | None:
    """Start the next attempt at a job and return its number, which fences every later write.

    None where there is nothing to do: the job is gone, ended, canceled or submitted anew.
    """
    job = _locked(session, kind, job_id)
    if job is None or job.state in ENDED or job.submission != submission:
        return None
    if job.cancel_requested:
        end(session, job, CANCELED)
        return None
    job.attempt += 1
    job.state, job.stage, job.done, job.total = RUNNING, "starting", 0, 0
    if isinstance(job, Run | Task) and job.started_at is None:
        job.started_at = now()
    note(session, job, "Started." if job.attempt == 1 else f"Goes on (attempt {job.attempt}).")
    return job.attempt


def fenced(session: Session, kind: Kind, job_id: int, attempt: int) -> Job:
    """The job, locked until the session commits, if `attempt` is still the one that may write.

    Raises StaleAttemptError otherwise, so nothing in the caller's session is committed.
    """
    job = _locked(session, kind, job_id)
    if job is None or job.attempt != attempt or job.state != RUNNING:
        raise StaleAttemptError(
            f"Attempt {attempt} of {kind} {job_id} is over; what it still wrote was refused."
        )
    return job


def end(session: Session, job: Job, state: str, error: str | None = None) -> None:
    """Bring the job to a terminal `state`, with the sentence that says why where it failed."""
    job.state, job.stage, job.error, job.finished_at = state, "", error, now()
    job.done = job.total = 0
    if state == FAILED:
        note(session, job, f"Failed: {error}", "error")
    else:
        note(session, job, "Finished." if state == FINISHED else "Canceled.")


def give_up(session: Session, kind: Kind, job_id: int, submission: int, why: str) -> None:
    """End a job as failed, unless it has ended or was submitted anew meanwhile."""
    job = _locked(session, kind, job_id)
    if job is not None and job.state not in ENDED and job.submission == submission:
        end(session, job, FAILED, why)


def pause(session: Session, job: Job) -> None:
    """Back to the queue: its worker is stopping, and the next one goes on from here."""
    job.state, job.stage, job.done, job.total = QUEUED, "waiting for a worker", 0, 0
    note(session, job, "Paused: the worker is stopping. It goes on when a worker starts.")


def request_cancel(session: Session, job: Job, *, worker_alive: bool) -> str:
    """Cancel at once where nothing executes the job; else ask its worker to. Returns the state.

    Without a live worker the attempt is advanced, which shuts out one that only seems dead.
    """
    if job.state in ENDED:
        return job.state
    if job.state == QUEUED or not worker_alive:
        job.attempt += 1
        end(session, job, CANCELED)
    elif not job.cancel_requested:
        note(session, job, "Cancel was asked for.")
    job.cancel_requested = True
    return job.state


def unfinished(session: Session) -> list[tuple[Kind, int, int]]:
    """(kind, id, submission) of every job that has not ended, oldest first."""
    found: list[tuple[Kind, int, int]] = []
    for kind, model in KINDS.items():
        query = sa.select(model.id, model.submission).where(model.state.not_in(ENDED))
        rows = session.execute(query.order_by(model.id))
        found += [(kind, row.id, row.submission) for row in rows]
    return found


def note(session: Session, job: Job, message: str, level: str = "info") -> None:
    """Add a line to a run's log; the others have none."""
    if isinstance(job, Run):
        session.add(Event(run_id=job.id, level=level, message=message))


def _locked(session: Session, kind: Kind, job_id: int) -> Job | None:
    # FOR UPDATE is what PostgreSQL needs; SQLite's write sessions hold the write lock already.
    model: type[Job] = KINDS[kind]
    job = session.get(model, job_id, with_for_update=True, populate_existing=True)
    assert job is None or isinstance(job, Run | Import | Task)
    return job
