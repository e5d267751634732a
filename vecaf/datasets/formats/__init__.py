"""Formats that can be imported: one module each, recognized in this order."""

from vecaf.datasets.formats.coco import COCO
from vecaf.datasets.formats.fiftyone import FIFTYONE
from vecaf.datasets.formats.huggingface import HUGGINGFACE
from vecaf.datasets.formats.imagefolder import IMAGEFOLDER
from vecaf.datasets.formats.label_studio import LABEL_STUDIO
from vecaf.datasets.formats.reading import Contents, Format, ImportOptions, Preview, Reading
from vecaf.datasets.formats.table import TABLE
from vecaf.datasets.formats.webdataset import WEBDATASET
from vecaf.errors import InputError

FORMATS = {
    one.name: one
    for one in (HUGGINGFACE, WEBDATASET, FIFTYONE, COCO, LABEL_STUDIO, TABLE, IMAGEFOLDER)
}

__all__ = ["FORMATS", "Contents", "Format", "ImportOptions", "Preview", "Reading", "format_of"]


def format_of(contents: Contents) -> Format:
    """Return the format that the options name, or else the first one that recognizes the source.

    Raises InputError if the name is unknown, or a file that shows the format is damaged.
    """
    name = contents.options.format
    if not name:
        return next(one for one in FORMATS.values() if one.recognizes(contents))
    if name not in FORMATS:
        raise InputError(f"There is no format '{name}'. Choose one of: {', '.join(FORMATS)}.")
    return FORMATS[name]
