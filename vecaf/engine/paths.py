"""Paths of the files of a job in the data folder."""

from __future__ import annotations

from pathlib import Path

from vecaf.datasets.upload_options import options_file
from vecaf.settings import Settings
from vecaf.store.jobs import Kind


def folder_of(settings: Settings, kind: Kind, job_id: int) -> Path:
    """Return the folder of a job. That of an import exists only until the import ends."""
    folders: dict[Kind, Path] = {
        "run": settings.runs / str(job_id),
        "import": settings.uploads / f"import-{job_id}",
        "task": settings.tasks / str(job_id),
    }
    return folders[kind]


def log_of(settings: Settings, kind: Kind, job_id: int) -> Path:
    """Return the log file with the output of all attempts at a job."""
    return folder_of(settings, kind, job_id) / "log.txt"


def lock_of(settings: Settings, kind: Kind, job_id: int) -> Path:
    """Return the lock file that ensures that only one child process works on a job."""
    return folder_of(settings, kind, job_id) / "lock"


def staged_upload(settings: Settings, source: str) -> Path | None:
    """Return the uploaded archive that an import reads; None if the source is not an upload."""
    path = Path(source)
    return path if path.is_absolute() and settings.uploads in path.parents else None


def discard_import(settings: Settings, import_id: int, source: str, *, keep_log: bool) -> None:
    """Delete the uploaded archive and the folder of an import that has ended.

    `keep_log` keeps its log, which the error of a failed import refers to.
    """
    upload = staged_upload(settings, source)
    if upload is not None:
        upload.unlink(missing_ok=True)
        options_file(upload).unlink(missing_ok=True)
    folder = folder_of(settings, "import", import_id)
    lock_of(settings, "import", import_id).unlink(missing_ok=True)
    if not keep_log:
        log_of(settings, "import", import_id).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def settings_file(home: Path) -> Path:
    """Return the file with the environment variables of the settings, for nodes of a cluster."""
    return home / "cluster-settings.json"
