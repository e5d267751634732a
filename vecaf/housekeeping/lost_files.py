"""Find referenced files that are missing or changed, and report them to the users concerned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.datasets.pool import image_path
from vecaf.engine.paths import folder_of
from vecaf.settings import Settings
from vecaf.store import FAILED, FINISHED, Artifact, Dataset, Event, Run, Sample, Store, Task
from vecaf.wording import plural

DATASET, RUN, TASK = "dataset", "run", "task"
WARNING_PREFIX = "Files are missing: "  # of a dataset's warning
SHOWN = 5


@dataclass(frozen=True)
class LostFiles:
    """The lost files of one dataset, run or task; `rows` counts the affected rows."""

    kind: str
    id: int
    sentence: str
    rows: int
    reported: bool  # whether users have been told


def find_lost_files(store: Store) -> list[LostFiles]:
    """Return all referenced files that are missing or changed."""
    settings = store.settings
    with store.read() as session:
        found = list(_images(session, settings))
        found += _models(session, settings)
        found += _tasks(session, settings)
    return found


def report_lost_files(store: Store, lost: LostFiles) -> str:
    """Tell users about lost files: in the dataset's warnings, the run's log or the task's error.

    Returns what was done, as a sentence.
    """
    with store.write() as session:
        if lost.kind == DATASET:
            dataset = session.get_one(Dataset, lost.id)
            _warn(dataset, lost.sentence)
            return f"Added a warning to dataset '{dataset.name}'"
        if lost.kind == RUN:
            session.add(Event(run_id=lost.id, level="error", message=lost.sentence))
            return f"Added an error to the log of run {lost.id}"
        task = session.get_one(Task, lost.id)
        task.state, task.error = FAILED, lost.sentence
        return f"Marked task {lost.id} as failed, so that it runs again when its result is needed"


def clear_reports(store: Store, missing: set[int]) -> list[str]:
    """Remove the warnings of datasets whose files are complete again; return what was done.

    `missing` contains the ids of datasets whose files are still missing.
    """
    done = []
    with store.write() as session:
        for dataset in session.scalars(sa.select(Dataset)):
            if dataset.id not in missing and _warned(dataset):
                _warn(dataset, None)
                done.append(f"Removed the warning of dataset '{dataset.name}': no file is missing")
    return done


def _images(session: Session, settings: Settings) -> Iterator[LostFiles]:
    for dataset in session.scalars(sa.select(Dataset).order_by(Dataset.id)):
        query = sa.select(Sample.file_name, Sample.sha256, Sample.extension)
        rows = session.execute(
            query.where(Sample.dataset_id == dataset.id)
            .order_by(Sample.id)
            .execution_options(yield_per=10_000)
        )
        gone = [
            row.file_name
            for row in rows
            if not image_path(settings.images, row.sha256, row.extension).is_file()
        ]
        if gone:
            names = ", ".join(gone[:SHOWN]) + (" …" if len(gone) > SHOWN else "")
            sentence = (
                f"{WARNING_PREFIX}{plural(len(gone), 'image')} of '{dataset.name}' ({names}). "
                "Import the same images again as a new dataset, which restores their files, or "
                "restore a backup."
            )
            yield LostFiles(
                DATASET, dataset.id, sentence, len(gone), sentence in _warnings(dataset)
            )


def _models(session: Session, settings: Settings) -> Iterator[LostFiles]:
    query = sa.select(Artifact).join(Run).where(Run.state == FINISHED).order_by(Artifact.id)
    for artifact in session.scalars(query):
        what = _changed(settings.home / artifact.path, artifact)
        if what is None:
            continue
        sentence = (
            f"{artifact.path} of run {artifact.run_id} {what}. Restore it from a backup, or launch "
            "the run again with the same settings."
        )
        said = sa.select(Event.id).where(
            Event.run_id == artifact.run_id, Event.message == sentence
        )  # fmt: skip
        yield LostFiles(RUN, artifact.run_id, sentence, 1, session.scalar(said) is not None)


def _changed(path: Path, artifact: Artifact) -> str | None:
    if not path.is_file():
        return "is missing"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == artifact.sha256 else "has changed since the run wrote it"


def _tasks(session: Session, settings: Settings) -> Iterator[LostFiles]:
    for task in session.scalars(sa.select(Task).where(Task.state == FINISHED).order_by(Task.id)):
        folder = folder_of(settings, "task", task.id)
        ready = task.result.get("ready", [])
        gone = [name for name in ready if not (folder / name).is_file()]
        if gone or not folder.is_dir():
            names = ", ".join(gone) or "its folder"
            sentence = f"The result of task {task.id} ({task.kind}) is missing: {names}."
            yield LostFiles(TASK, task.id, sentence, 1, False)


def _warnings(dataset: Dataset) -> list[str]:
    return list(dataset.report.get("warnings", ()))


def _warned(dataset: Dataset) -> bool:
    return any(text.startswith(WARNING_PREFIX) for text in _warnings(dataset))


def _warn(dataset: Dataset, sentence: str | None) -> None:
    others = [text for text in _warnings(dataset) if not text.startswith(WARNING_PREFIX)]
    dataset.report = {**dataset.report, "warnings": others + ([sentence] if sentence else [])}
