"""A run's export as one archive: the desk makes it, for the server holds no framework."""

from __future__ import annotations

from typing import Any

from vecaf.desk.registry import ANSWERS, Desk
from vecaf.export import build_archive


@ANSWERS.register
def export_model(desk: Desk, user: int, *, run_id: int) -> dict[str, Any]:
    """{"bytes"} of the archive, once it lies where `kept_archive` says. Raises InputError for a
    run that has not finished, NotFoundError."""
    return {"bytes": build_archive(desk.store, user, run_id).stat().st_size}
