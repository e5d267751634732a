"""Routes of selections: downloads as CSV, JSON and an imagefolder, and points of the map."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask

from vecaf.datasets.metadata import guarded
from vecaf.datasets.pool import image_path
from vecaf.errors import NotFoundError
from vecaf.store import Dataset, Sample, Subset, Task, visible
from vecaf.store.samples import read_sample_ids, samples_by_id
from vecaf.store.subsets import subset_samples
from vecaf.tasks.select_images import COVERS, SelectionExplanation, read_explanation

from ..explore.maps import file_name, map_file, read_rows
from ..shell.array_bundle import pack
from ..shell.ids import Id, QueryId
from ..shell.studio import Studio

FIRST, SECOND, BOTH, EARLIER = 1, 2, 3, 4  # an image's mark on the map
NO_STORE = {"Cache-Control": "private, no-store"}


@dataclass(frozen=True)
class Listed:
    """Selected images to export, in rank order."""

    name: str
    classes: Sequence[str]
    samples: Sequence[Sample]
    scores: Sequence[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "rank": rank,
                "id": sample.id,
                "file_name": sample.file_name,
                "split": sample.split,
                "label": self.label(sample),
                "caption": sample.caption,
                **scores,
            }
            for rank, (sample, scores) in enumerate(zip(self.samples, self.scores, strict=True))
        ]

    def label(self, sample: Sample) -> str | None:
        return None if sample.label is None else self.classes[sample.label]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/download/selection/{task_id}/{form}")
    def selection(task_id: Id, form: str, request: Request) -> Response:
        user = studio.user(request)
        selected, task = _finished(studio, user, task_id)
        with studio.store.read() as session:
            dataset = visible(session, user, Dataset, task.dataset_id)
            found = samples_by_id(session, user, dataset.id, selected.ids)
        scores = [
            {name: values[rank] for name, values in selected.scores.items()}
            for rank in range(len(selected.ids))
        ]
        samples = [found[sample_id] for sample_id in selected.ids]
        listed = Listed(f"selection-{task_id}", dataset.classes, samples, scores)
        return _answer(studio, listed, form)

    @router.get("/download/subset/{subset_id}/{form}")
    def subset(subset_id: Id, form: str, request: Request) -> Response:
        user = studio.user(request)
        with studio.store.read() as session:
            found = visible(session, user, Subset, subset_id)
            dataset = visible(session, user, Dataset, found.dataset_id)
            rows = subset_samples(session, user, subset_id)
        samples = [sample for _, sample in rows]
        listed = Listed(
            f"subset-{subset_id}", dataset.classes, samples, [place.scores for place, _ in rows]
        )
        return _answer(studio, listed, form)

    @router.get("/select/{task_id}/map")
    def points(task_id: Id, request: Request, against: QueryId | None = None) -> Response:
        user = studio.user(request)
        selected, task = _finished(studio, user, task_id)
        second = None if against is None else _finished(studio, user, against)
        if second is not None and second[1].dataset_id != task.dataset_id:
            raise NotFoundError(f"Selection {against} belongs to another dataset.")
        return Response(
            _map(studio, user, task, selected, second[0] if second else None),
            media_type="application/octet-stream",
            headers=NO_STORE,
        )

    return router


def _finished(studio: Studio, user: int, task_id: int) -> tuple[SelectionExplanation, Task]:
    """Return a finished selection and its task. Raises NotFoundError."""
    with studio.store.read() as session:
        task = visible(session, user, Task, task_id)
    selected = read_explanation(studio.settings.tasks / str(task_id))
    if task.kind != "selection" or selected is None:
        raise NotFoundError(f"There is no finished selection {task_id}.")
    return selected, task


def _map(
    studio: Studio,
    user: int,
    task: Task,
    selected: SelectionExplanation,
    second: SelectionExplanation | None,
) -> bytes:
    """Pack points (n, 2), ids, marks and covers of all samples (see app/shell/array_bundle.py)."""
    with studio.store.read() as session:
        ids = read_sample_ids(session, user, task.dataset_id)
        try:
            path = map_file(
                session, studio.settings, user, task.dataset_id, file_name("umap", "image")
            )
        except NotFoundError:
            path = map_file(
                session, studio.settings, user, task.dataset_id, file_name("pca", "image")
            )
    marks = np.zeros(len(ids), dtype=np.uint8)
    marks[np.isin(ids, selected.earlier)] = EARLIER
    marks[np.isin(ids, selected.ids)] = FIRST
    if second is not None:
        other = np.isin(ids, second.ids)
        marks[other] = np.where(marks[other] == FIRST, BOTH, SECOND)
    covers = np.load(studio.settings.tasks / str(task.id) / COVERS, allow_pickle=False)
    coordinates = read_rows(path, len(ids))
    meta = {"selected": selected.ids, "method": path.stem}
    return pack(
        {
            "points": np.asarray(coordinates, np.float32),
            "ids": ids,
            "marks": marks,
            "covers": covers,
        },
        meta,
    )


def _answer(studio: Studio, listed: Listed, form: str) -> Response:
    makers = {"ids.csv": _csv, "ids.json": _json}
    if form in makers:
        media, content = makers[form](listed)
        name = f"{listed.name}.{form.rsplit('.', 1)[1]}"
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=media, headers=headers)
    if form == "imagefolder.zip":
        return _imagefolder(studio, listed)
    raise NotFoundError(f"There is no export {form}. Use ids.csv, ids.json or imagefolder.zip.")


def _csv(listed: Listed) -> tuple[str, str]:
    return "text/csv; charset=utf-8", as_csv(listed.rows())


def _json(listed: Listed) -> tuple[str, bytes]:
    content = {"classes": list(listed.classes), "selected": listed.rows()}
    return "application/json", bytes(JSONResponse(content).body)


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as CSV. None becomes an empty cell, and no text is run as a formula."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        texts = {name: guarded(value) for name, value in row.items() if isinstance(value, str)}
        writer.writerow(row | texts)
    return out.getvalue()


def _imagefolder(studio: Studio, listed: Listed) -> Response:
    """Return a ZIP file that `datasets.load_dataset("imagefolder", …)` reads.

    Images are named by their ids, because an uploaded name must never become a path.
    """
    folder = Path(tempfile.mkdtemp(prefix="download-", dir=studio.settings.home))
    try:
        archive = folder / "imagefolder.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
            rows = []
            for sample in listed.samples:
                name = f"{sample.id}{sample.extension}"
                stored = image_path(studio.settings.images, sample.sha256, sample.extension)
                out.write(stored, f"{sample.split}/{name}")
                text = {"label": listed.label(sample), "caption": sample.caption}
                rows.append((sample.split, {"file_name": name, **text, "id": sample.id}))
            for split in dict.fromkeys(split for split, _ in rows):
                part = [row for of, row in rows if of == split]
                out.writestr(f"{split}/metadata.csv", as_csv(part))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=f"{listed.name}-imagefolder.zip",
        headers=NO_STORE,
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )
