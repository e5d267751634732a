"""Tasks, imports, workers and sets of embeddings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from vecaf.store.models.base import NEVER_REUSED, QUEUED, Base, now


class Task(Base):
    """A job on a dataset that is not a run: a map, a selection preview, an evaluation.

    `kind` names a function of `vecaf.tasks`, and `params` are its arguments. The task writes files
    to `tasks/<id>/` and small values to `result`.
    """

    __tablename__ = "task"
    __table_args__ = (Index("task_by_kind", "dataset_id", "kind"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default=QUEUED, index=True)
    stage: Mapped[str] = mapped_column(String(200), default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))  # Worker.id of the current worker
    node: Mapped[str | None] = mapped_column(String(200))  # where it runs, if there is a choice
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    losses: Mapped[int] = mapped_column(default=0, server_default="0")  # processes lost
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Import(Base):
    """An import of a dataset and its progress."""

    __tablename__ = "import"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(Text)  # a path under uploads/, "demo:color" or "demo:line"
    state: Mapped[str] = mapped_column(String(16), default=QUEUED)
    stage: Mapped[str] = mapped_column(String(200), default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))  # Worker.id of the current worker
    node: Mapped[str | None] = mapped_column(String(200))  # where it runs, if there is a choice
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    losses: Mapped[int] = mapped_column(default=0, server_default="0")  # processes lost
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class EncoderRecord(Base):
    """A folder of cached embeddings of one encoder (fingerprint); files hold the rows."""

    __tablename__ = "embedding_set"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    model: Mapped[str] = mapped_column(Text)
    dimension: Mapped[int]
    facts: Mapped[dict[str, Any]]  # weights hash, preprocessing, precision
    created_at: Mapped[datetime] = mapped_column(default=now)


class Worker(Base):
    """A worker process and the time of its last heartbeat."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    pid: Mapped[int]
    host: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(default=now)
    heartbeat_at: Mapped[datetime] = mapped_column(default=now)
