"""The recorder that saves a run to the database, as long as its attempt is current."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from vecaf.runs.recording import RoundSelection
from vecaf.store import Artifact, EncoderRecord, Event, Metric, Round, Run, SelectedSample, Store
from vecaf.store.jobs import lock_attempt
from vecaf.store.records import RoundResult
from vecaf.store.runs import round_result

BUFFER_SECONDS = 0.5
"""How long metrics and progress are buffered, and how often the recorder checks for a cancel."""

logger = logging.getLogger("vecaf.run")


class DatabaseRecorder:
    """A `vecaf.runs.recording.Recorder` for one attempt at a run.

    Every write raises StaleAttemptError and writes nothing if a newer attempt has started or the
    run has ended. `stopping` returns whether this process should stop.
    """

    def __init__(
        self, store: Store, run_id: int, attempt: int, *, stopping: Callable[[], bool]
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._attempt = attempt
        self._stopping = stopping
        self._metrics: dict[tuple[int, int, str], float] = {}
        self._stage: tuple[str, int, int] | None = None
        self._shown = ""
        self._written_at = -math.inf
        self._asked_at = -math.inf
        self._stop = False
        self._non_finite: set[str] = set()  # names of metrics that have been logged

    def stage(self, text: str, done: int = 0, total: int = 0) -> None:
        self._stage = (text, done, total)
        if text != self._shown:
            self._shown = text
            self.flush()
        self._flush_when_due()

    def log(self, message: str, level: str = "info") -> None:
        logger.log(logging.getLevelNamesMapping().get(level.upper(), logging.INFO), message)
        with self._writing() as session:
            session.add(Event(run_id=self._run_id, level=level, message=message))

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if math.isfinite(value):
                self._metrics[round, step, name] = float(value)
            elif name not in self._non_finite:
                self._non_finite.add(name)
                message = f"{name} is {value} at step {step}. Charts omit such values."
                self.log(message, "warning")
        self._flush_when_due()

    def flush(self) -> None:
        if self._metrics or self._stage is not None:
            with self._writing():
                pass

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Lock the row of the run while files are moved, so that no other attempt can start."""
        self.flush()
        with self._store.write(exclusive=False) as session:
            lock_attempt(session, "run", self._run_id, self._attempt)
            yield

    def rewind(self, round: int, step: int) -> None:
        self._metrics = {
            key: value for key, value in self._metrics.items() if key[:2] <= (round, step)
        }
        beyond = sa.or_(Metric.round > round, sa.and_(Metric.round == round, Metric.step > step))
        with self._writing() as session:
            session.execute(sa.delete(Metric).where(Metric.run_id == self._run_id, beyond))

    def selection(self, round: int) -> RoundSelection | None:
        query = sa.select(SelectedSample.sample_id, SelectedSample.scores).where(
            SelectedSample.run_id == self._run_id, SelectedSample.round == round
        )
        with self._store.read() as session:
            rows = session.execute(query.order_by(SelectedSample.rank)).all()
        if not rows:
            return None
        scores: list[Mapping[str, float | None]] = [row.scores for row in rows]
        return RoundSelection(
            np.array([row.sample_id for row in rows], dtype=np.int64),
            {
                name: np.array([_number(part[name]) for part in scores], dtype=np.float32)
                for name in scores[0]
            },
        )

    def record_selection(self, round: int, selection: RoundSelection) -> None:
        ids = selection.sample_ids.tolist()
        columns = {name: values.tolist() for name, values in selection.scores.items()}
        rows = [
            {
                "run_id": self._run_id,
                "round": round,
                "rank": rank,
                "sample_id": sample_id,
                # JSON has no NaN, so a missing score is null.
                "scores": {name: _finite(values[rank]) for name, values in columns.items()},
            }
            for rank, sample_id in enumerate(ids)
        ]
        with self._writing() as session:
            session.execute(sa.insert(SelectedSample), rows)

    def finished_rounds(self) -> list[RoundResult]:
        query = sa.select(Round).where(Round.run_id == self._run_id).order_by(Round.number)
        with self._store.read() as session:
            return [round_result(row) for row in session.scalars(query)]

    def finish_round(self, result: RoundResult) -> None:
        with self._writing() as session:
            session.add(
                Round(
                    run_id=self._run_id,
                    number=result.number,
                    labeled=result.labeled,
                    batches=result.batches,
                    val_accuracy=result.val_accuracy,
                    test_accuracy=result.test_accuracy,
                    confusion={"test": result.confusion},
                    metrics=result.metrics,
                    forecast=result.forecast,
                    seconds=result.seconds,
                )
            )

    def reopen(self, upto: int) -> None:
        self.rewind(upto + 1, -1)
        later = sa.delete(Round).where(Round.run_id == self._run_id, Round.number > upto)
        with self._writing() as session:
            session.execute(later)

    def embedded(self, fingerprint: str, facts: Mapping[str, Any]) -> None:
        row = {
            "fingerprint": fingerprint,
            "model": facts["name"],
            "dimension": facts["feature_dim"],
            "facts": dict(facts),
        }
        with self._writing() as session:
            _upsert(session, EncoderRecord, [row], ["fingerprint"], ["facts"])

    def artifact(self, kind: str, path: Path) -> None:
        """Record a finished file in the data folder, or update its record."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        row = {
            "run_id": self._run_id,
            "kind": kind,
            "path": path.relative_to(self._store.settings.home).as_posix(),
            "sha256": digest,
            "bytes": path.stat().st_size,
        }
        with self._writing() as session:
            _upsert(session, Artifact, [row], ["run_id", "path"], ["kind", "sha256", "bytes"])

    def should_stop(self) -> bool:
        self._flush_when_due()
        if self._stopping():
            return True
        if not self._stop and time.monotonic() - self._asked_at > BUFFER_SECONDS:
            self._asked_at = time.monotonic()
            query = sa.select(Run.cancel_requested, Run.attempt).where(Run.id == self._run_id)
            with self._store.read() as session:
                row = session.execute(query).one_or_none()
            self._stop = row is None or row.cancel_requested or row.attempt != self._attempt
        return self._stop

    def _flush_when_due(self) -> None:
        if time.monotonic() - self._written_at > BUFFER_SECONDS:
            self.flush()

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """Commit what the caller writes together with buffered data, if the attempt is current."""
        with self._store.write(exclusive=False) as session:
            run = lock_attempt(session, "run", self._run_id, self._attempt)
            if self._stage is not None:
                run.stage, run.done, run.total = self._stage[0][:200], *self._stage[1:]
            if self._metrics:
                rows = [
                    {"run_id": self._run_id, "round": round, "step": step, "name": name,
                     "value": value}
                    for (round, step, name), value in self._metrics.items()
                ]  # fmt: skip
                _upsert(session, Metric, rows, ["run_id", "round", "name", "step"], ["value"])
            yield session
        self._metrics, self._stage = {}, None
        self._written_at = time.monotonic()


def _upsert(
    session: Session,
    table: type[Artifact | EncoderRecord | Metric],
    rows: list[dict[str, Any]],
    key: list[str],
    values: list[str],
) -> None:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    update = {name: statement.excluded[name] for name in values}
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=update), rows)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
