"""The tables, typed. A change here is an Alembic migration in `migrations/versions`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TRAIN, VAL, TEST = "train", "val", "test"
QUEUED, RUNNING, FINISHED, FAILED, CANCELED = "queued", "running", "finished", "failed", "canceled"
ENDED = (FINISHED, FAILED, CANCELED)
SUBSET, SELECTION, EVALUATION = "subset", "selection", "evaluation"
SUBSET_KINDS = (SUBSET, SELECTION, EVALUATION)
# SQLite hands a deleted last row's id out again unless told not to: ids name folders and jobs.
NEVER_REUSED = {"sqlite_autoincrement": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, also on SQLite, which forgets time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it as a plain class attribute)
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[str]: JSON,
        dict[str, float]: JSON,
    }


class User(Base):
    """Who owns things; without accounts there is one, the local owner.

    A removed user's row stays: what they labelled names them, and their id is never another's.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)  # argon2id; None can't log in
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Login(Base):
    """Somebody who is logged in, in one browser. The token itself is nowhere but there."""

    __tablename__ = "login"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256, hex
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)


class LoginFailure(Base):
    """How often in a row a password was wrong, for a name or for an address."""

    __tablename__ = "login_failure"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256: a name may be a slip
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(default=now)


class Dataset(Base):
    """A registered dataset; it exists only once its import is complete."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("owner_id", "name"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str] = mapped_column(String(200))
    classes: Mapped[list[str]]  # a sample's label is an index into it
    content_hash: Mapped[str] = mapped_column(String(64))  # over the sorted image hashes
    source: Mapped[str] = mapped_column(Text)  # what was imported, for people
    attribution: Mapped[str | None] = mapped_column(Text)
    report: Mapped[dict[str, Any]]  # vecaf.datasets' ImportReport as a mapping
    revision: Mapped[int] = mapped_column(default=0, server_default="0")  # rises with every edit
    created_at: Mapped[datetime] = mapped_column(default=now)


class Share(Base):
    """A dataset, with its runs, that a user may read though another one owns it."""

    __tablename__ = "share"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)


class Sample(Base):
    """One image of a dataset. Ids follow the sorted file names, never the archive's order."""

    __tablename__ = "sample"
    __table_args__ = (
        UniqueConstraint("dataset_id", "file_name"),
        Index("sample_by_split", "dataset_id", "split"),
        Index("sample_by_content", "sha256"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    file_name: Mapped[str] = mapped_column(Text)  # as uploaded, NFC; shown, never opened
    sha256: Mapped[str] = mapped_column(String(64))
    extension: Mapped[str] = mapped_column(String(8))  # ".jpg": names the stored file
    width: Mapped[int]
    height: Mapped[int]
    split: Mapped[str] = mapped_column(String(8))  # train, val, test
    label: Mapped[int | None]
    caption: Mapped[str | None] = mapped_column(Text)
    excluded: Mapped[bool] = mapped_column(default=False, server_default=false())  # from the pool


class Edit(Base):
    """One change of labels, captions or exclusions, of one image or many; it can be undone."""

    __tablename__ = "edit"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    kind: Mapped[str] = mapped_column(String(16))  # label, caption, excluded or class
    images: Mapped[int]
    undone: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ClassChange(Base):
    """What an edit of kind "class" did: a class was renamed, or added (no previous name)."""

    __tablename__ = "class_change"

    edit_id: Mapped[int] = mapped_column(
        ForeignKey("edit.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int]  # the class's index, which never changes
    value: Mapped[str] = mapped_column(Text)
    previous: Mapped[str | None] = mapped_column(Text)


class Annotation(Base):
    """The history of a sample's labels, captions and exclusions: what, by whom, when."""

    __tablename__ = "annotation"

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    edit_id: Mapped[int | None] = mapped_column(
        ForeignKey("edit.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))  # label, caption or excluded
    value: Mapped[str | None] = mapped_column(Text)  # a label is written by its class's name
    previous: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Subset(Base):
    """Some of a dataset's images, in an order, under a name: a lasso's catch or a selection.

    A selection that was signed off is a labelling task until each of its images has a label.
    """

    __tablename__ = "subset"
    __table_args__ = (UniqueConstraint("dataset_id", "name"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))  # see SUBSET_KINDS
    facts: Mapped[dict[str, Any]]  # how it came to be: strategy, budget, seed, task …
    created_at: Mapped[datetime] = mapped_column(default=now)


class SubsetSample(Base):
    """A subset's image, its rank, and why it is there (score parts)."""

    __tablename__ = "subset_sample"
    __table_args__ = (UniqueConstraint("subset_id", "sample_id"),)

    subset_id: Mapped[int] = mapped_column(
        ForeignKey("subset.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)  # from 0
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id", ondelete="CASCADE"), index=True)
    scores: Mapped[dict[str, float]]


class Task(Base):
    """Work on a dataset other than a run: a map, a selection to look at, an evaluation.

    `kind` names a function of `vecaf.tasks`; `params` are its arguments. What it makes are files
    in `tasks/<id>/`, and `result`, which is small.
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
    worker: Mapped[str | None] = mapped_column(String(100))  # who does it now: Worker.id
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    losses: Mapped[int] = mapped_column(default=0, server_default="0")  # of its worker
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Import(Base):
    """An upload on its way to becoming a dataset; the page reads its progress here."""

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
    worker: Mapped[str | None] = mapped_column(String(100))  # who does it now: Worker.id
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    losses: Mapped[int] = mapped_column(default=0, server_default="0")  # of its worker
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class EmbeddingSet(Base):
    """A folder of embeddings, one per encoder fingerprint; the rows are files, keyed by content."""

    __tablename__ = "embedding_set"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    model: Mapped[str] = mapped_column(Text)
    dimension: Mapped[int]
    facts: Mapped[dict[str, Any]]  # weights hash, preprocessing, precision
    created_at: Mapped[datetime] = mapped_column(default=now)


class Run(Base):
    """A configured sequence of rounds. `attempt` fences writers: only the newest may write."""

    __tablename__ = "run"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    config: Mapped[dict[str, Any]]  # vecaf.config.RunConfig as a mapping
    seed: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=QUEUED, index=True)
    stage: Mapped[str] = mapped_column(String(200), default="")  # "round 2 of 3: selecting"
    done: Mapped[int] = mapped_column(default=0)  # progress within the stage
    total: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))  # who does it now: Worker.id
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    losses: Mapped[int] = mapped_column(default=0, server_default="0")  # of its worker
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Round(Base):
    """One finished round of a run and what it measured."""

    __tablename__ = "round"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # from 1
    labeled: Mapped[int]  # images with a label the model was trained on, cumulative
    batches: Mapped[int]  # optimizer steps spent, cumulative
    val_accuracy: Mapped[float | None]  # 0 to 1; None where the split has no labelled image
    test_accuracy: Mapped[float | None]
    confusion: Mapped[dict[str, Any]]  # {"test": rows true, columns predicted}
    seconds: Mapped[float]
    finished_at: Mapped[datetime] = mapped_column(default=now)


class Selection(Base):
    """A pick: which image, in which round, at which rank, and its score parts."""

    __tablename__ = "selection"
    __table_args__ = (UniqueConstraint("run_id", "sample_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # from 0
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id", ondelete="CASCADE"), index=True)
    scores: Mapped[dict[str, float]]


class Metric(Base):
    """One value of a curve."""

    __tablename__ = "metric"
    __table_args__ = (UniqueConstraint("run_id", "round", "name", "step"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    round: Mapped[int]
    step: Mapped[int]  # batches since the run began
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
    """A file that a run made, by its path below the studio's home."""

    __tablename__ = "artifact"
    __table_args__ = (UniqueConstraint("run_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))  # model, export
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Worker(Base):
    """A worker process and when it was last alive."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    pid: Mapped[int]
    host: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(default=now)
    heartbeat_at: Mapped[datetime] = mapped_column(default=now)
