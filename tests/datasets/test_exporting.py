"""Exports are valid everywhere, contain no private data, and can be imported again."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg, make_zip, packed, photos, pixels
from vecaf.datasets import import_dataset
from vecaf.datasets.edits import edit
from vecaf.datasets.export_images import ExportedImage, dataset_to_export, safe_part
from vecaf.datasets.exporting import export_dataset, stream_zip
from vecaf.datasets.metadata import parse_metadata
from vecaf.datasets.names import clean_path, is_junk
from vecaf.datasets.writers import metadata_file
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Sample, Store, User

STRANGE = ['=HYPERLINK("x")', "+1", "-1", "@a", "'=b", 'a, "b"', "ünï 🦊", "con", ".hidden", "a/b"]


def imported(store: Store, tmp_path: Path) -> int:
    """Import a dataset with unusual names, captions, unlabeled images and all splits."""
    members = photos("train/cat", "train/dog", "val/cat", "test/dog", each=4)
    members |= {"train/cat/deep/0.jpg": jpeg(90), "train/loose.jpg": jpeg(91)}
    members |= {"train/dog/anim.gif": packed(pixels(92), "GIF")}
    report = import_dataset(store, make_zip(tmp_path / "in.zip", members), "first")
    user = store.owner()
    with store.write() as session:
        dataset = session.get_one(Dataset, report.dataset_id)
        dataset.classes = ["=cat", "../dog"]
        ids = [one.id for one in session.query(Sample).order_by(Sample.id)]
        edit(session, user, dataset.id, "caption", dict(zip(ids, STRANGE, strict=False)))
        edit(session, user, dataset.id, "label", {ids[0]: None})
    return report.dataset_id


def facts(store: Store, name: str) -> list[tuple[str, str | None, str | None, str]]:
    """Return (content, label, caption, split) of every image, sorted."""
    rows = samples(store, name)
    with store.read() as session:
        classes = session.get_one(Dataset, rows[0].dataset_id).classes
    return sorted(
        (one.sha256, None if one.label is None else classes[one.label], one.caption, one.split)
        for one in rows
    )


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("place", ["out.zip", "folder"])
def test_importing_an_export_gives_the_same_dataset(
    store: Store, tmp_path: Path, kind: str, place: str
) -> None:
    dataset_id = imported(store, tmp_path)
    count, missing = export_dataset(store, store.owner(), dataset_id, tmp_path / place, kind)
    assert missing == 0
    report = import_dataset(store, tmp_path / place, "second")
    assert (report.images, report.refused_count, report.warnings) == (count, 0, ())
    assert facts(store, "second") == facts(store, "first")
    with pytest.raises(InputError, match="already"):
        export_dataset(store, store.owner(), dataset_id, tmp_path / place, kind)


@pytest.mark.parametrize("folder", ["photo.jpg", "Photo.JPG"])
def test_a_class_can_have_the_name_of_an_image(store: Store, tmp_path: Path, folder: str) -> None:
    members = photos(f"train/{folder}", "train/dog", "test/dog") | {"train/photo.jpg": jpeg(90)}
    report = import_dataset(store, make_zip(tmp_path / "in.zip", members), "first")
    names = [
        one.file_name for one in dataset_to_export(store, store.owner(), report.dataset_id).images
    ]
    assert "train/photo-2.jpg" in names  # some file systems ignore case
    export_dataset(store, store.owner(), report.dataset_id, tmp_path / "out")
    assert import_dataset(store, tmp_path / "out", "second").refused_count == 0
    assert facts(store, "second") == facts(store, "first")


def test_exports_have_no_formulas_and_no_unsafe_paths(store: Store, tmp_path: Path) -> None:
    found = dataset_to_export(store, store.owner(), imported(store, tmp_path))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(stream_zip(found, "csv"))))
    assert archive.testzip() is None
    rows = list(csv.reader(io.StringIO(archive.read("metadata.csv").decode(), newline="")))
    assert rows[0] == ["file_name", "label", "text", "split"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    names = [name for name in archive.namelist() if name != "metadata.csv"]
    assert sorted(names) == sorted(row[0] for row in rows[1:])
    for name in names:
        assert clean_path(name) == name
        assert name.split("/")[0] in ("train", "val", "test")
        assert not is_junk(name)
        Image.open(io.BytesIO(archive.read(name))).load()
    assert len({name.casefold() for name in names}) == len(names)


def test_exports_contain_no_locations(store: Store, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 30.5)})
    exif[0x010F] = "Secret camera"
    members = {f"cat/{i}.jpg": packed(pixels(i), exif=exif) for i in range(3)}
    report = import_dataset(store, make_zip(tmp_path / "in.zip", members), "photos")
    content = b"".join(
        stream_zip(dataset_to_export(store, store.owner(), report.dataset_id), "jsonl")
    )
    assert b"Secret camera" not in content
    archive = zipfile.ZipFile(io.BytesIO(content))
    lines = archive.read("metadata.jsonl").decode().splitlines()
    for line in lines:
        name = json.loads(line)["file_name"]
        assert not dict(Image.open(io.BytesIO(archive.read(name))).getexif())


@pytest.mark.parametrize("place", ["out.zip", "folder"])
def test_images_whose_files_are_missing_are_left_out_and_listed(
    store: Store, tmp_path: Path, place: str
) -> None:
    dataset_id = imported(store, tmp_path)
    images = dataset_to_export(store, store.owner(), dataset_id).images
    images[3].source.unlink()
    images[5].source.unlink()
    lost = {images[3].file_name, images[5].file_name}
    done = export_dataset(store, store.owner(), dataset_id, tmp_path / place)
    assert done == (len(images) - 2, 2)
    folder = tmp_path / place
    if place == "out.zip":
        folder = tmp_path / "unpacked"
        zipfile.ZipFile(tmp_path / place).extractall(folder)
    listed = {}
    for name in ("metadata.csv", "missing.csv"):
        with (folder / name).open(newline="") as file:
            listed[name] = {row["file_name"] for row in csv.DictReader(file)}
    assert listed["missing.csv"] == lost
    assert listed["metadata.csv"] == {one.file_name for one in images} - lost
    assert all((folder / name).is_file() for name in listed["metadata.csv"])
    again = import_dataset(store, tmp_path / place, "second")
    assert (again.images, again.warnings) == (len(images) - 2, ())


def test_other_users_can_not_export_it(store: Store, tmp_path: Path) -> None:
    dataset_id = imported(store, tmp_path)
    with store.write() as session:
        session.add(User(id=99, name="stranger"))
    with pytest.raises(NotFoundError):
        dataset_to_export(store, 99, dataset_id)
    with pytest.raises(InputError, match="csv, jsonl"):
        export_dataset(store, store.owner(), dataset_id, tmp_path / "x", "xml")


@given(st.text())
def test_any_name_becomes_a_valid_file_name(name: str) -> None:
    part = safe_part(name)
    assert part
    assert "/" not in part
    assert part not in (".", "..")
    assert not part.startswith(".")
    assert len(part.encode("utf-8", "surrogatepass")) <= 170


@given(st.text(alphabet="=+-@'ab\t", max_size=6))
def test_guarded_cells_are_read_back_unchanged(text: str) -> None:
    from vecaf.datasets.names import clean

    text = clean(text)
    one = ExportedImage("train/a.jpg", Path(), None, text or None, "train")
    name, content = metadata_file([one], "csv")
    assert parse_metadata(content, name).rows["train/a.jpg"].caption == (text or None)
