"""Imports of real datasets, if the shared data is next to the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets.conftest import samples
from vecaf.datasets import import_dataset
from vecaf.store import Store

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the shared datasets are not at {DATA}"),
]


def test_photos_with_captions(store: Store) -> None:
    report = import_dataset(store, DATA / "imagenet_sample.zip", "imagenet-sample")
    assert (report.images, report.captions, report.refused_count) == (1000, 1000, 0)
    first = samples(store, "imagenet-sample")[0]
    assert (first.file_name, first.caption) == ("n01440764_tench.jpg", "a photo of a tench")


def test_class_folders_without_splits(store: Store) -> None:
    report = import_dataset(store, DATA / "pacs_photo.zip", "pacs")
    assert (report.images, len(report.classes), report.refused_count) == (1670, 7, 0)
    assert report.splits == {"train": 1169, "val": 167, "test": 334}
