"""Runs and their records: rounds, selected samples, metrics, logs and artifacts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vecaf.store.models.base import NEVER_REUSED, QUEUED, Base, now


class Run(Base):
    """A configured sequence of rounds. Only the process of the newest `attempt` can write."""

    __tablename__ = "run"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    tags: Mapped[str] = mapped_column(Text, default="", server_default="")  # ",one,two,"
    config: Mapped[dict[str, Any]]  # vecaf.config.RunConfig as a mapping
    seed: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=QUEUED, index=True)
    stage: Mapped[str] = mapped_column(String(200), default="")  # "round 2 of 3: selecting"
    done: Mapped[int] = mapped_column(default=0)  # progress within the stage
    total: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))  # Worker.id of the current worker
    node: Mapped[str | None] = mapped_column(String(200))  # where it runs, if there is a choice
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    losses: Mapped[int] = mapped_column(default=0, server_default="0")  # processes lost
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Round(Base):
    """A finished round of a run and its results."""

    __tablename__ = "round"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # from 1
    labeled: Mapped[int]  # labeled images trained on, cumulative
    batches: Mapped[int]  # optimizer steps spent, cumulative
    val_accuracy: Mapped[float | None]  # 0 to 1; None if the split has no labels
    test_accuracy: Mapped[float | None]
    confusion: Mapped[dict[str, Any]]  # {"test": rows true, columns predicted}
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """Values by split, then by metric. Empty for rounds of earlier versions."""
    forecast: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """What more labels are expected to gain (`vecaf.runs.forecasting`); empty if unknown."""
    seconds: Mapped[float]
    finished_at: Mapped[datetime] = mapped_column(default=now)


class SelectedSample(Base):
    """An image that a run selected: its round, its rank and its score parts."""

    __tablename__ = "selection"
    __table_args__ = (UniqueConstraint("run_id", "sample_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # from 0
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id", ondelete="CASCADE"), index=True)
    scores: Mapped[dict[str, float]]


class Metric(Base):
    """One point of a curve, such as the training loss."""

    __tablename__ = "metric"
    __table_args__ = (UniqueConstraint("run_id", "round", "name", "step"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    round: Mapped[int]
    step: Mapped[int]  # batches since the start of the run
    name: Mapped[str] = mapped_column(String(64))  # train_loss, val_accuracy …
    value: Mapped[float]


class Event(Base):
    """A line of a run's log."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    level: Mapped[str] = mapped_column(String(8), default="info")
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Artifact(Base):
    """A file that a run wrote; `path` is relative to the data folder."""

    __tablename__ = "artifact"
    __table_args__ = (UniqueConstraint("run_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))  # model, export
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    created_at: Mapped[datetime] = mapped_column(default=now)
