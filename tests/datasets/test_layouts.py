"""Every folder layout gives the intended dataset, independent of the order of files."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg, make_zip, packed, photos, pixels
from vecaf.datasets import import_dataset
from vecaf.datasets.pool import load_samples
from vecaf.store import Store, dataset_named


def imported(store: Store, folder: Path, members: dict[str, bytes]) -> list[tuple[str, ...]]:
    """Import a ZIP; return (file name, class or '-', caption or '-') of every sample."""
    report = import_dataset(store, make_zip(folder / "a.zip", members), "a")
    assert report.refused == ()
    with store.read() as session:
        classes = dataset_named(session, store.owner(), "a").classes
    return [
        (one.file_name, "-" if one.label is None else classes[one.label], one.caption or "-")
        for one in samples(store, "a")
    ]


def classes_of(rows: list[tuple[str, ...]]) -> set[str]:
    return {label for _, label, _ in rows}


def test_class_folders(store: Store, tmp_path: Path) -> None:
    rows = imported(store, tmp_path, photos("cat", "dog"))
    assert rows[0] == ("cat/0.jpg", "cat", "-")
    assert classes_of(rows) == {"cat", "dog"}


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev", "Val"])
def test_given_splits_are_kept(store: Store, tmp_path: Path, val: str) -> None:
    members = photos("train/cat", "train/dog", f"{val}/cat", f"{val}/dog", "test/cat", "test/dog")
    imported(store, tmp_path, members)
    for one in samples(store, "a"):
        assert one.split == one.file_name.split("/")[0].lower().replace(val.lower(), "val")


def test_folders_that_contain_everything_are_ignored(store: Store, tmp_path: Path) -> None:
    members = {f"pets v2/data/{name}": content for name, content in photos("cat", "dog").items()}
    members["__MACOSX/pets v2/data/cat/._0.jpg"] = b"\0\5\x16\7"
    members["pets v2/.DS_Store"] = b"x"
    members["pets v2/data/cat/Thumbs.db"] = b"x"
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert (report.passed_over, report.refused_count) == (3, 0)
    assert next(one.file_name for one in samples(store, "a")) == "cat/0.jpg"
    assert set(report.classes) == {"cat", "dog"}


def test_deeper_folders_belong_to_the_file_name(store: Store, tmp_path: Path) -> None:
    rows = imported(store, tmp_path, photos("cat/black/young", "dog"))
    assert rows[0] == ("cat/black/young/0.jpg", "cat", "-")


def test_a_class_may_be_called_train(store: Store, tmp_path: Path) -> None:
    assert classes_of(imported(store, tmp_path, photos("boat", "train"))) == {"boat", "train"}


def test_flat_and_unlabeled(store: Store, tmp_path: Path) -> None:
    rows = imported(store, tmp_path, {f"{i}.jpg": jpeg(i) for i in range(10)})
    assert classes_of(rows) == {"-"}
    assert Counter(one.split for one in samples(store, "a")) == {"train": 7, "val": 1, "test": 2}


def test_metadata_csv_as_spreadsheets_write_it(store: Store, tmp_path: Path) -> None:
    table = (
        "\ufefffile_name,extra,label,text,split\r\n"
        '0.jpg,x,"big, ""red"" cat","two\r\nlines",test\r\n'
        "./1.jpg,,dog,=cmd(),\r\n\r\n"
    )
    members = {"w/metadata.csv": table.encode(), "w/0.jpg": jpeg(0), "w/1.jpg": jpeg(1)}
    rows = imported(store, tmp_path, members)
    assert rows == [
        ("0.jpg", 'big, "red" cat', "two lines"),
        ("1.jpg", "dog", "=cmd()"),
    ]
    assert samples(store, "a")[0].split == "test"


def test_metadata_in_split_folders(store: Store, tmp_path: Path) -> None:
    def lines(*labels: int) -> bytes:
        rows = [{"file_name": f"{i}.jpg", "label": label} for i, label in enumerate(labels)]
        return "\n".join(json.dumps(row) for row in rows).encode()

    members = {
        "train/metadata.jsonl": lines(10, 9, 2),
        "test/metadata.jsonl": lines(2),
        "train/0.jpg": jpeg(0),
        "train/1.jpg": jpeg(1),
        "train/2.jpg": jpeg(2),
        "test/0.jpg": jpeg(3),
    }
    imported(store, tmp_path, members)
    with store.read() as session:  # whole numbers sort as numbers
        assert dataset_named(session, store.owner(), "a").classes == ["2", "9", "10"]
    assert next((s.file_name, s.label) for s in samples(store, "a")) == ("test/0.jpg", 0)


def test_captions_beside_one_folder_of_images(store: Store, tmp_path: Path) -> None:
    members = {"metadata.csv": b"file_name,text\nimages/0.jpg,a cat", "images/0.jpg": jpeg(0)}
    assert imported(store, tmp_path, members) == [("images/0.jpg", "-", "a cat")]


@pytest.mark.parametrize("note", ["README.md", "LICENSE", "labels.json"])
def test_a_text_file_next_to_the_folder_does_not_make_it_a_class(
    store: Store, tmp_path: Path, note: str
) -> None:
    members = {"metadata.csv": b"file_name,text\nimages/0.jpg,a cat", "images/0.jpg": jpeg(0)}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members | {note: b"hello"}), "a")
    assert (report.classes, report.unlabeled, report.captions) == ({}, 1, 1)


def test_images_without_extensions_determine_the_layout(store: Store, tmp_path: Path) -> None:
    folders = ("pets/train/cat", "pets/train/dog", "pets/test/cat", "pets/test/dog")
    members = {name.removesuffix(".jpg"): image for name, image in photos(*folders).items()}
    members |= {"README": b"hello", "pets/notes.txt": b"hello"}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert list(report.classes) == ["cat", "dog"]
    tested = [one.file_name for one in samples(store, "a") if one.split == "test"]
    assert len(tested) == 6
    assert all(name.startswith("test/") for name in tested)
    assert {one.file for one in report.refused} == {"README", "pets/notes.txt"}


def test_other_files_without_extensions_do_not_affect_the_layout(
    store: Store, tmp_path: Path
) -> None:
    members = photos("pets/cat", "pets/dog") | {"Makefile": b"all:"}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert list(report.classes) == ["cat", "dog"]


def test_split_folders_inside_class_folders_are_reported(store: Store, tmp_path: Path) -> None:
    folders = ("cat/train/good", "cat/test/bad", "cat/masks/bad", "dog/train/good", "dog/test/bad")
    report = import_dataset(store, make_zip(tmp_path / "a.zip", photos(*folders)), "inside")
    told = "The folders test and train are inside the class folders"
    assert [text for text in report.warnings if text.startswith(told)]
    others = photos("cat/train", "cat/young", "dog/train", each=5)
    report = import_dataset(store, make_zip(tmp_path / "b.zip", others), "others")
    assert not [text for text in report.warnings if "inside" in text]


def test_metadata_rows_without_files_are_reported(store: Store, tmp_path: Path) -> None:
    table = "file_name,label\n0.jpg,a\n0.jpg,b\ngone.jpg,a\n../up.jpg,a\nshort\n2.jpg," + "x" * 501
    members = {"metadata.csv": table.encode(), **{f"{i}.jpg": jpeg(i) for i in range(3)}}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    reasons = {one.file: one.reason for one in report.refused}
    assert "already has a row" in reasons["metadata.csv, line 3"]
    assert "missing or unreadable" in reasons["gone.jpg"]
    assert "points outside" in reasons["metadata.csv, line 5"]
    assert "the row has 1 cells, but the first line has 2" in reasons["metadata.csv, line 6"]
    assert "longer than 500" in reasons["metadata.csv, line 7"]
    assert report.images == 3
    assert report.unlabeled == 2
    assert any("2 of the images are not listed" in text for text in report.warnings)


def test_images_outside_the_splits_are_refused(store: Store, tmp_path: Path) -> None:
    members = photos("train/a", "train/b", "test/a", "extra")
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert {one.file for one in report.refused} == {"extra/0.jpg", "extra/1.jpg", "extra/2.jpg"}
    assert report.images == 9


def test_a_folder_and_its_zip_archive_give_the_same_dataset(store: Store, tmp_path: Path) -> None:
    members = photos("train/cat", "train/dog", "val/cat", each=5)
    for name, content in members.items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    zipped = import_dataset(store, make_zip(tmp_path / "a.zip", members), "zipped")
    folder = import_dataset(store, tmp_path / "pets", "folder")
    assert (zipped.classes, zipped.splits) == (folder.classes, folder.splits)
    with store.read() as session:
        one, other = (
            load_samples(
                session, dataset_named(session, store.owner(), name), store.settings.images
            )
            for name in ("zipped", "folder")
        )
    assert one.keys == other.keys
    assert one.splits.tolist() == other.splits.tolist()
    assert one.paths == other.paths


def test_ids_and_splits_do_not_depend_on_the_archives_order(store: Store, tmp_path: Path) -> None:
    members = list(photos("cat", "dog", each=20).items())
    found = []
    for name in ("sorted", "shuffled"):
        import_dataset(store, make_zip(tmp_path / f"{name}.zip", dict(members)), name)
        found.append([(s.file_name, s.split, s.sha256, s.label) for s in samples(store, name)])
        random.Random(1).shuffle(members)
    assert found[0] == found[1]
    assert found[0] == sorted(found[0])


def test_duplicates_by_content_are_counted_and_kept(store: Store, tmp_path: Path) -> None:
    same = jpeg(1)
    members = {"train/a/0.jpg": same, "train/a/1.jpg": same, "train/b/0.jpg": jpeg(2)}
    members |= {"test/a/0.jpg": same, "test/b/0.jpg": jpeg(3)}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert (report.images, report.duplicates) == (5, 2)
    assert any(
        "The train split also contains 1 test image (exact duplicates)" in text
        for text in report.warnings
    )


def test_a_report_is_stored_and_printed(store: Store, tmp_path: Path) -> None:
    members = photos("cat", "dog") | {"cat/notes.txt": b"hello"}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    with store.read() as session:
        stored = dataset_named(session, store.owner(), "a")
    assert type(report).from_dict(json.loads(json.dumps(stored.report))) == report
    assert report.dataset_id == stored.id
    assert report.as_text().startswith("Imported 6 images with 2 classes as 'a'")
    assert "cat/notes.txt: it is not a JPEG" in report.as_text()


def test_only_large_images_get_thumbnails(store: Store, tmp_path: Path) -> None:
    members = {"a/big.png": packed(pixels(1, 300), "PNG"), "b/small.png": packed(pixels(2), "PNG")}
    import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    big, _ = samples(store, "a")
    thumbs = [path for path in store.settings.thumbs.rglob("*") if path.is_file()]
    assert [path.stem for path in thumbs] == [big.sha256]
