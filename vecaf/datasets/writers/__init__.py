"""Export formats. Each writer yields the files of an export by name."""

from collections.abc import Callable, Iterator

from vecaf.datasets.export_images import Export
from vecaf.datasets.writers.coco import coco
from vecaf.datasets.writers.fiftyone import fiftyone
from vecaf.datasets.writers.imagefolder import (
    MISSING,
    csv_folder,
    imagefolder,
    jsonl_folder,
    metadata_file,
)
from vecaf.datasets.writers.label_studio import label_studio
from vecaf.datasets.writers.parquet import parquet
from vecaf.datasets.writers.webdataset import webdataset

Writer = Callable[[Export], Iterator[tuple[str, bytes]]]

WRITERS: dict[str, Writer] = {
    "csv": csv_folder,
    "jsonl": jsonl_folder,
    "imagefolder": imagefolder,
    "parquet": parquet,
    "webdataset": webdataset,
    "coco": coco,
    "fiftyone": fiftyone,
    "label-studio": label_studio,
}

TITLES = {
    "csv": "folders and metadata.csv",
    "jsonl": "folders and metadata.jsonl",
    "imagefolder": "Hugging Face imagefolder",
    "parquet": "Hugging Face Parquet",
    "webdataset": "WebDataset",
    "coco": "COCO JSON",
    "fiftyone": "FiftyOne",
    "label-studio": "Label Studio",
}

__all__ = ["MISSING", "TITLES", "WRITERS", "Writer", "metadata_file"]
