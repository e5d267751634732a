"""The files of a dataset's map. Each is taken from the newest task that has it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.errors import NotFoundError
from vecaf.evaluation.map_layout import MIN_DIST
from vecaf.settings import Settings
from vecaf.store import ENDED, FINISHED, Annotation, Dataset, Sample, Task, visible

MAP_TASK, FINDINGS_TASK = "map", "findings"  # kinds of tasks; a map includes findings
METHODS = ("pca", "umap")
VIEWS = ("image", "text")
SPACE, FINDINGS, CAPTION_MATCH = "space.npy", "findings.json", "caption-match.npy"


@dataclass(frozen=True)
class MapState:
    """The newest map task, and the files that are ready, from it or from an older one."""

    task: int | None
    state: str
    stage: str
    done: int
    total: int
    error: str | None
    ready: list[str]  # "pca", "umap", "pca-text", "umap-text", "space", "caption-match"
    findings: int | None  # id of the task that has the newest findings
    outdated: bool = False  # captions changed after the last finished map
    warning: str | None = None  # about images that the last finished map leaves out
    min_dist: float = MIN_DIST  # of the newest map


def map_state(session: Session, settings: Settings, user_id: int, dataset_id: int) -> MapState:
    """Return the state of a dataset's map.

    Raises
    ------
    NotFoundError
        If the user may not see the dataset.
    """
    tasks = _tasks(session, user_id, dataset_id, MAP_TASK)
    names = [file_name(method, view) for method in METHODS for view in VIEWS]
    names += [SPACE, CAPTION_MATCH]
    ready = [
        name.rsplit(".", 1)[0]
        for name in names
        if any((_folder(settings, task) / name).is_file() for task in tasks)
    ]
    looked = _tasks(session, user_id, dataset_id, MAP_TASK, FINDINGS_TASK)
    findings = next((t.id for t in looked if (_folder(settings, t) / FINDINGS).is_file()), None)
    if not tasks:
        return MapState(None, "none", "", 0, 0, None, [], findings)
    newest = tasks[0]
    last = next((task for task in tasks if task.state == FINISHED), None)
    return MapState(
        task=newest.id,
        state=newest.state,
        stage=newest.stage,
        done=newest.done,
        total=newest.total,
        error=newest.error,
        ready=ready,
        findings=findings,
        outdated=newest.state in ENDED and last is not None and _captions_changed(session, last),
        warning=None if last is None else last.result.get("warning"),
        min_dist=newest.params.get("min_dist", MIN_DIST),
    )


def file_name(method: str, view: str) -> str:
    return f"{method}{'-text' if view == 'text' else ''}.npy"


def map_file(
    session: Session, settings: Settings, user_id: int, dataset_id: int, name: str
) -> Path:
    """Return the newest file of this name among the dataset's maps.

    Raises
    ------
    NotFoundError
        If the user may not see the dataset, or no task has written the file.
    """
    kinds = (MAP_TASK, FINDINGS_TASK) if name == FINDINGS else (MAP_TASK,)
    for task in _tasks(session, user_id, dataset_id, *kinds):
        path = _folder(settings, task) / name
        if path.is_file():
            return path
    raise NotFoundError("This part of the map is not ready yet. Try again later.")


def read_rows(path: Path, size: int) -> NDArray[Any]:
    """Return the array of a map file, which has one row per sample.

    Raises
    ------
    NotFoundError
        If it has another number of rows than the dataset has samples.
    """
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(array) != size:
        raise NotFoundError(
            "The map does not match the images of the dataset. Compute the map again."
        )
    return array


def read_findings(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _captions_changed(session: Session, task: Task) -> bool:
    """Return whether a caption changed after the map task started."""
    query = (
        sa.select(Annotation.id)
        .join(Sample, Sample.id == Annotation.sample_id)
        .where(Sample.dataset_id == task.dataset_id, Annotation.kind == "caption")
        .where(Annotation.created_at > (task.started_at or task.created_at))
        .limit(1)
    )
    return session.scalar(query) is not None


def _tasks(session: Session, user_id: int, dataset_id: int, *kinds: str) -> list[Task]:
    visible(session, user_id, Dataset, dataset_id)
    query = (
        sa.select(Task)
        .where(Task.dataset_id == dataset_id, Task.kind.in_(kinds))
        .order_by(Task.id.desc())
        .limit(8)
    )
    return list(session.scalars(query))


def _folder(settings: Settings, task: Task) -> Path:
    return settings.tasks / str(task.id)
