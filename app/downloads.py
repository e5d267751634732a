"""A run's model as one zip: what `python -m vecaf export` writes."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from app.studio import Studio
from vecaf.store import Run, visible

Id = Annotated[int, InPath(ge=1, le=2**63 - 1)]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/download/run/{run_id}/model")
    def model(run_id: Id, request: Request) -> FileResponse:
        user = studio.user(request)
        with studio.store.read() as session:
            run = visible(session, user, Run, run_id)
        folder = Path(tempfile.mkdtemp(prefix="download-", dir=studio.settings.home))
        try:
            archive = _pack(studio, user, run_id, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        name = re.sub(r"[^\w.-]+", "-", run.name).strip("-") or "run"
        return FileResponse(
            archive,
            media_type="application/zip",
            filename=f"{name}-{run_id}.zip",
            headers={"Cache-Control": "private, no-store"},
            background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
        )

    return router


def _pack(studio: Studio, user: int, run_id: int, folder: Path) -> Path:
    from vecaf.export import export_run

    files = folder / "files"
    export_run(studio.store, user, run_id, files)
    archive = folder / "model.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for path in sorted(files.rglob("*")):
            out.write(path, path.relative_to(files))
    return archive
