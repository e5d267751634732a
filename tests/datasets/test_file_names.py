"""File names with arbitrary bytes, and names that become equal; no file is lost silently."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg, photos
from vecaf.datasets import ImportReport, import_dataset
from vecaf.errors import InputError
from vecaf.store import Dataset, Store


def written(root: Path, members: dict[str, bytes]) -> Path:
    """Write these files to a folder; names can contain the surrogates of `os.fsdecode`."""
    for name, content in members.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


class Flagless(zipfile.ZipInfo):
    """A member whose name is written without the flag for UTF-8, as by many programs."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("cp437"), self.flag_bits


def reasons(report: ImportReport) -> dict[str, str]:
    return {one.file: one.reason for one in report.refused}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cat/e\u0301.jpg", "cat/\u00e9.jpg"),
        ("cat/x.jpg", "cat/x.jpg "),
        ("cat/x.jpg", "cat\\x.jpg"),
    ],
)
def test_of_files_with_the_same_cleaned_name_one_is_imported(
    store: Store, tmp_path: Path, first: str, second: str
) -> None:
    members = photos("dog") | {first: jpeg(50), second: jpeg(51)}
    report = import_dataset(store, written(tmp_path / "pets", members), "a")
    assert report.images == 4
    assert [one.reason for one in report.refused] == [
        "after its special characters are removed, its name is the same as that of another file; "
        "only the first is used"
    ]


def test_the_name_of_the_imported_folder_can_be_any_bytes(store: Store, tmp_path: Path) -> None:
    root = written(tmp_path / os.fsdecode(b"lat\xe9"), photos("dog") | photos("cat"))
    assert import_dataset(store, root, "a").images == 6
    with store.read() as session:
        assert session.query(Dataset).one().source.startswith("lat")


def test_a_refused_file_does_not_take_its_name(store: Store, tmp_path: Path) -> None:
    root = written(tmp_path / "pets", photos("dog") | {"cat/x.jpg ": jpeg(50)})
    (root / "cat" / "x.jpg").symlink_to("/nowhere/x.jpg")
    report = import_dataset(store, root, "a")
    assert report.images == 4
    assert "outside the folder" in reasons(report)["cat/x.jpg"]


def test_names_that_are_not_utf8_stay_distinct(store: Store, tmp_path: Path) -> None:
    names = [b"\xb9\xb7", b"\xc4\xf1"]  # 'dog' and 'bird' as Chinese Windows writes them
    members = {f"{os.fsdecode(name)}/{i}.jpg": jpeg(i) for name in names for i in range(3)}
    report = import_dataset(store, written(tmp_path / "pets", members), "a")
    assert (report.images, report.refused) == (6, ())
    assert set(report.classes) == {name.decode("cp437") for name in names}


def test_refusals_can_be_printed_and_stored(store: Store, tmp_path: Path) -> None:
    root = written(tmp_path / "pets", photos("cat", "dog"))
    for link in (b"caf\xe9.jpg", b"bell\x07.jpg", b"\x07"):
        (root / os.fsdecode(link)).symlink_to("/nowhere/x.jpg")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in photos("cat", "dog").items():
            archive.writestr(name, content)
        archive.writestr("../bell\x07.jpg", jpeg(9))
    folder = import_dataset(store, root, "folder")
    zipped = import_dataset(store, tmp_path / "a.zip", "zipped")
    assert set(reasons(folder)) == {"caf\u0398.jpg", "bell.jpg", "'\\x07'"}
    assert set(reasons(zipped)) == {"../bell.jpg"}
    for report in (folder, zipped):
        json.dumps(report.as_dict(), ensure_ascii=False).encode()
        assert report.as_text().replace("\n", "").isprintable()


def test_an_unreadable_folder_is_reported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path / "pets", photos("cat", "dog", "cow", ".git"))
    closed = {str(root / "dog"), str(root / ".git")}  # root can read any folder
    scan = os.scandir

    def scandir(path: str) -> object:
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("vecaf.datasets.folder_source.os.scandir", scandir)
    report = import_dataset(store, root, "a")
    assert set(report.classes) == {"cat", "cow"}
    assert reasons(report) == {"dog": "the folder can't be read (Permission denied)"}
    assert report.passed_over == 1
    closed.add(str(root))
    with pytest.raises(InputError, match=r"pets can't be read \(Permission denied\)"):
        import_dataset(store, root, "b")
    assert len(samples(store, "a")) == 6


def test_a_name_that_is_not_utf8_does_not_change_its_folders(store: Store, tmp_path: Path) -> None:
    members = photos(*(f"Übung/{split}/größe" for split in ("train", "val", "test")))
    members |= {os.fsdecode(b"\xc3\x9cbung/train/gr\xc3\xb6\xc3\x9fe/caf\xe9.jpg"): jpeg(90)}
    folder = import_dataset(store, written(tmp_path / "made", members), "folder")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(Flagless(os.fsencode(name).decode("cp437")), content)
    zipped = import_dataset(store, tmp_path / "a.zip", "zipped")
    for report in (folder, zipped):
        assert report.classes == {"größe": {"train": 4, "val": 3, "test": 3}}, report.name


def test_a_link_to_itself_is_refused(store: Store, tmp_path: Path) -> None:
    root = written(tmp_path / "pets", photos("cat", "dog"))
    (root / "cat" / "loop.jpg").symlink_to("loop.jpg")
    report = import_dataset(store, root, "a")
    assert report.images == 6
    assert set(reasons(report)) == {"cat/loop.jpg"}
