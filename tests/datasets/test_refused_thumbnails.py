"""Thumbnails of refused files are encoded again, and only made if decoding is safe."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.datasets.pictures import jpeg, make_zip, packed, photos, pixels, with_scans
from vecaf.datasets import import_dataset
from vecaf.datasets.checked_images import MAX_THUMBNAILS
from vecaf.datasets.images import THUMB_SIDE
from vecaf.datasets.pool import thumb_path
from vecaf.datasets.refused_thumbnail import refused_thumbnail
from vecaf.settings import Limits
from vecaf.store import Store

BIG = jpeg(3, 600)


@pytest.mark.parametrize(
    "content", [BIG[: len(BIG) // 2], BIG, packed(pixels(4, 300), "PNG"), packed(pixels(5), "GIF")]
)
def test_decodable_files_get_thumbnails(content: bytes) -> None:
    thumb = refused_thumbnail(content, Limits())
    assert thumb is not None
    assert max(Image.open(io.BytesIO(thumb)).size) <= THUMB_SIDE
    assert content[:200] not in thumb


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    assert refused_thumbnail(BIG, Limits(max_pixels=300 * 300)) is not None
    assert refused_thumbnail(BIG, Limits(max_pixels=50)) is None
    assert refused_thumbnail(packed(pixels(4, 300), "PNG"), Limits(max_pixels=300)) is None


def test_costly_files_get_no_thumbnail() -> None:
    assert refused_thumbnail(with_scans(20), Limits()) is not None
    assert refused_thumbnail(with_scans(100), Limits()) is None
    large = with_scans(20, side=600)  # with several scans, it can't be decoded at a reduced size
    assert refused_thumbnail(large, Limits(max_pixels=300 * 300)) is None
    assert refused_thumbnail(BIG, Limits(max_pixels=200 * 200)) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"words", b"<svg onload=alert(1)>", BIG[:40], packed(pixels(4, 300), "PNG")[:90]],
)
def test_undecodable_files_get_no_thumbnail(content: bytes) -> None:
    assert refused_thumbnail(content, Limits()) is None


def test_a_report_lists_its_thumbnails(store: Store, tmp_path: Path) -> None:
    members = photos("train/cat", "test/cat") | {
        "train/cat/cut.jpg": BIG[:-500],
        "train/cat/words.jpg": b"only words",
        "elsewhere/outside.jpg": BIG,
    }
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    shown = {one.file: one.thumb for one in report.refused}
    assert shown["train/cat/words.jpg"] is None
    for name in ("train/cat/cut.jpg", "elsewhere/outside.jpg"):
        key = shown[name]
        assert key is not None
        Image.open(thumb_path(store.settings.thumbs, key)).load()


def test_the_number_of_thumbnails_is_limited(store: Store, tmp_path: Path) -> None:
    cut = {f"cat/cut-{i}.jpg": jpeg(i, 64)[:-300] for i in range(MAX_THUMBNAILS + 5)}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", photos("cat") | cut), "a")
    assert report.refused_count == MAX_THUMBNAILS + 5
    assert sum(one.thumb is not None for one in report.refused) <= MAX_THUMBNAILS
