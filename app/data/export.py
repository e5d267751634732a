"""Stream a dataset as a ZIP file."""

from __future__ import annotations

import re

from fastapi.responses import StreamingResponse

from vecaf.datasets.export_images import dataset_to_export
from vecaf.datasets.exporting import check_format, stream_zip

from ..shell.studio import Studio


def export_response(studio: Studio, user: int, dataset_id: int, format: str) -> StreamingResponse:
    """Return a dataset as a download. No temporary file is written.

    Raises InputError for an unknown format, NotFoundError.
    """
    check_format(format)
    found = dataset_to_export(studio.store, user, dataset_id)
    file_name = re.sub(r"[^A-Za-z0-9.-]+", "-", found.name).strip("-.") or "dataset"
    return StreamingResponse(
        stream_zip(found, format),
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{file_name}.zip"',
            "Cache-Control": "private, no-store",
        },
    )
