"""Where a job's files lie below the studio's home."""

from __future__ import annotations

from pathlib import Path

from vecaf.settings import Settings
from vecaf.store.jobs import Kind


def folder_of(settings: Settings, kind: Kind, job_id: int) -> Path:
    """A run's and a task's folder are kept; an import's holds its lock and log until it ends."""
    folders: dict[Kind, Path] = {
        "run": settings.runs / str(job_id),
        "import": settings.uploads / f"import-{job_id}",
        "task": settings.tasks / str(job_id),
    }
    return folders[kind]


def log_of(settings: Settings, kind: Kind, job_id: int) -> Path:
    """What the job's child process printed, every attempt after the other."""
    return folder_of(settings, kind, job_id) / "log.txt"


def lock_of(settings: Settings, kind: Kind, job_id: int) -> Path:
    """The lock that lets only one child process work on a job."""
    return folder_of(settings, kind, job_id) / "lock"


def staged_upload(settings: Settings, source: str) -> Path | None:
    """The staged archive that an import reads, if it is ours to delete; None for anything else."""
    path = Path(source)
    return path if path.is_absolute() and settings.uploads in path.parents else None


def discard_import(settings: Settings, import_id: int, source: str, *, keep_log: bool) -> None:
    """Delete what an ended import leaves: the staged archive, its folder, and its log unless
    `keep_log` (a failed import's error names it)."""
    upload = staged_upload(settings, source)
    if upload is not None:
        upload.unlink(missing_ok=True)
    folder = folder_of(settings, "import", import_id)
    lock_of(settings, "import", import_id).unlink(missing_ok=True)
    if not keep_log:
        log_of(settings, "import", import_id).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
