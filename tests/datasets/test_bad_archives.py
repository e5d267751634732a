"""Malicious and damaged uploads give a clear error, or a line in the report, and leave no files."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg, make_zip, photos
from tests.datasets.test_images import bit_png
from vecaf.datasets import ImportReport, import_dataset
from vecaf.errors import InputError, VecafError
from vecaf.settings import Limits
from vecaf.store import Store

NothingImported = Callable[[], None]


def refused(store: Store, source: Path, match: str, name: str = "a") -> None:
    with pytest.raises(InputError, match=match):
        import_dataset(store, source, name)


def reasons(report: ImportReport) -> dict[str, str]:
    return {one.file: one.reason for one in report.refused}


def limited(store: Store, **limits: int) -> Store:
    return Store(replace(store.settings, limits=Limits(**limits)))


def test_a_text_file_named_zip(
    store: Store, tmp_path: Path, nothing_imported: NothingImported
) -> None:
    for content in (b"hello\n" * 100, b"", b"PK\5\6"):
        (tmp_path / "a.zip").write_bytes(content)
        refused(store, tmp_path / "a.zip", "a.zip is not a ZIP file.*Put the images")
    nothing_imported()


def test_no_such_file(store: Store, tmp_path: Path) -> None:
    refused(store, tmp_path / "gone.zip", "There is no file or folder")


def test_an_empty_zip(store: Store, tmp_path: Path, nothing_imported: NothingImported) -> None:
    refused(store, make_zip(tmp_path / "a.zip", {}), "is an empty ZIP file")
    (tmp_path / "folder").mkdir()
    refused(store, tmp_path / "folder", "folder contains no images")
    nothing_imported()


def test_no_usable_image(store: Store, tmp_path: Path, nothing_imported: NothingImported) -> None:
    path = make_zip(tmp_path / "a.zip", {"a/x.jpg": b"<svg/>", "a/y.zip": b"PK\3\4"})
    refused(store, path, r"no usable image. a/x.jpg can't be used: it is an SVG.* 1 more")
    refused(store, path, r"\na/x.jpg: it is an SVG.*\na/y.zip: ")
    nothing_imported()


def test_members_with_unsafe_paths(store: Store, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", photos("cat", "dog") | {
        "../evil.jpg": jpeg(90),
        "cat/../../evil.jpg": jpeg(91),
        "/etc/evil.jpg": jpeg(92),
        "C:\\evil.jpg": jpeg(93),
        "..\\evil.jpg": jpeg(94),
    })  # fmt: skip
    with zipfile.ZipFile(path, "a") as archive:
        for kind, name in ((stat.S_IFLNK, "cat/link.jpg"), (stat.S_IFIFO, "cat/pipe.jpg")):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (kind | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    before = set(tmp_path.rglob("*"))
    report = import_dataset(store, path, "a")
    found = reasons(report)
    assert report.images == 6
    assert "points outside" in found["../evil.jpg"]
    assert "points outside" in found["cat/../../evil.jpg"]
    assert "absolute" in found["/etc/evil.jpg"]
    assert "absolute" in found["C:\\evil.jpg"]
    assert "points outside" in found["..\\evil.jpg"]
    assert "symbolic link" in found["cat/link.jpg"]
    assert "regular" in found["cat/pipe.jpg"]
    assert not [p for p in set(tmp_path.rglob("*")) - before if "evil" in p.name or p.is_symlink()]


def test_links_out_of_a_folder_are_not_followed(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    (root / "cat").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(jpeg(9))
    (root / "cat" / "0.jpg").write_bytes(jpeg(0))
    (root / "cat" / "out.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (root / "cat" / "inside.jpg").symlink_to(root / "cat" / "0.jpg")
    (root / "dog").symlink_to(tmp_path / "outside")
    os.mkfifo(root / "cat" / "pipe.jpg")
    report = import_dataset(store, root, "a")
    assert [one.file_name for one in samples(store, "a")] == ["cat/0.jpg", "cat/inside.jpg"]
    assert set(reasons(report)) == {"cat/out.jpg", "cat/pipe.jpg", "dog"}


def zeros_zip(path: Path, gibibytes: int, name: str = "a/bomb.bmp") -> Path:
    """Write a valid ZIP with one member of zeros, by repeating one block of its deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"BM" + b"\0" * 12 + struct.pack("<L", 40)
    start = packer.compress(head + b"\0" * (2**20 - len(head))) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b"\0" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    data = start + block * (gibibytes * 1024 - 1) + end
    size = gibibytes * 2**30
    shown = min(size, 0xFFFFFFFF)
    extra = struct.pack("<HHQ", 1, 8, size) if size == shown or size > shown else b""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 8, 0, 0, 0, len(data), shown, len(name), 0)
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 8, 0, 0, 0, len(data), 0xFFFFFFFF,
        len(name), len(extra), 0, 0, 0, 0, 0,
    ) + name.encode() + extra  # fmt: skip
    body = local + name.encode() + data
    end_record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), len(body), 0)
    path.write_bytes(body + central + end_record)
    return path


def test_a_bomb_of_ten_gibibytes(
    store: Store, tmp_path: Path, nothing_imported: NothingImported, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zeros_zip(tmp_path / "bomb.zip", 10)
    assert path.stat().st_size < 2**25
    assert zipfile.ZipFile(path).infolist()[0].file_size == 10 * 2**30
    inflated = 0
    read = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        nonlocal inflated
        content = read(self, n)
        inflated += len(content)
        return content

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    refused(store, path, "no usable image. a/bomb.bmp can't be used: it is larger than 256 MiB")
    assert inflated <= 2**29  # a few chunks past the limit at most, not ten gibibytes
    nothing_imported()
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in photos("cat", "dog").items():
            archive.writestr(name, content)
    report = import_dataset(store, path, "a")
    assert (report.images, list(reasons(report))) == (6, ["a/bomb.bmp"])


def test_a_member_that_expands_too_far(store: Store, tmp_path: Path) -> None:
    bomb = b"BM" + b"\0" * 12 + struct.pack("<L", 40) + b"\0" * 2**23
    report = import_dataset(
        store, make_zip(tmp_path / "a.zip", photos("a", "b") | {"a/x.bmp": bomb}), "a"
    )
    assert "like a zip bomb" in reasons(report)["a/x.bmp"]


def test_overlapping_members_are_refused(
    store: Store, tmp_path: Path, nothing_imported: NothingImported
) -> None:
    path = make_zip(tmp_path / "a.zip", {"a/0.jpg": jpeg(0)})
    content = path.read_bytes()
    at = content.index(b"PK\1\2")
    end = content.index(b"PK\5\6")
    entry = content[at:end]
    record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 50, 50, len(entry) * 50, at, 0)
    path.write_bytes(content[:at] + entry * 50 + record)
    refused(store, path, "its files overlap, as in a decompression bomb")
    nothing_imported()


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({"max_members": 5}, "more than 5 files"),
        ({"max_archive_bytes": 500}, "is larger than"),
        ({"max_expanded_bytes": 1500}, "larger in total than the limit"),
    ],
)
def test_limits_of_the_whole_source(
    store: Store,
    tmp_path: Path,
    nothing_imported: NothingImported,
    limits: dict[str, int],
    match: str,
) -> None:
    path = make_zip(tmp_path / "a.zip", photos("cat", "dog"))
    refused(limited(store, **limits), path, match)
    nothing_imported()


def test_false_counts_and_sizes(store: Store, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", photos("cat", "dog"))
    content = bytearray(path.read_bytes())
    end = content.index(b"PK\5\6")
    struct.pack_into("<2H", content, end + 8, 1, 1)  # claims one member instead of six
    central = content.index(b"PK\1\2")
    struct.pack_into("<L", content, central + 24, 10)  # claims that the first has 10 bytes
    path.write_bytes(content)
    refused(limited(store, max_members=5), path, "more than 5 files")
    report = import_dataset(store, path, "a")
    assert report.images == 5
    assert list(reasons(report)) == ["cat/0.jpg"]


def test_encrypted_members_other_methods_and_duplicate_names(store: Store, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", photos("cat", "dog"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("cat/lzma.jpg", jpeg(50), zipfile.ZIP_LZMA)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("cat/1.jpg", jpeg(51))
        archive.writestr("CAT/1.jpg", jpeg(52))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        struct.pack_into("<H", content, content.index(signature) + offset, 1)
    path.write_bytes(content)
    report = import_dataset(store, path, "a")
    found = reasons(report)
    assert "encrypted" in found["cat/0.jpg"]
    assert "another file has the same name" in found["cat/1.jpg"]
    assert "method" in found["cat/lzma.jpg"]
    assert any("'CAT' and 'cat' differ" in text for text in report.warnings)
    kept = {one.file_name: one.sha256 for one in samples(store, "a")}
    assert kept["cat/1.jpg"] != kept["CAT/1.jpg"]


def test_truncated_and_enormous_pictures_among_good_ones(store: Store, tmp_path: Path) -> None:
    members = photos("cat", "dog")
    members["cat/0.jpg"] = members["cat/0.jpg"][:-40]
    members["dog/huge.png"] = bit_png(50_000, 50_000)
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    found = reasons(report)
    assert report.images == 5
    assert "truncated" in found["cat/0.jpg"]
    assert "pixels" in found["dog/huge.png"]


def test_a_class_of_one_image_and_one_class_only(store: Store, tmp_path: Path) -> None:
    members = photos("cat", each=10) | {"dog/only.jpg": jpeg(99)}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "one-image")
    assert report.classes["dog"] == {"train": 1, "val": 0, "test": 0}
    path = make_zip(tmp_path / "b.zip", photos("cat", each=4))
    report = import_dataset(store, path, "one-class")
    assert list(report.classes) == ["cat"]
    assert any("Training needs at least two" in text for text in report.warnings)


def test_odd_names_are_kept_and_made_safe(store: Store, tmp_path: Path) -> None:
    label = "<script>\u202ealert\x07 e\u0301 👩\u200d🔬"
    members = {f"{label}/=cmd{i}.jpg": jpeg(i) for i in range(2)} | photos("x" * 300)
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert list(report.classes) == ["<script>alert \u00e9 👩\u200d🔬", "x" * 300]
    assert samples(store, "a")[0].file_name.endswith("/=cmd0.jpg")


def test_damaged_archives_raise_only_vecaf_errors(store: Store, tmp_path: Path) -> None:
    """A valid archive with any damaged byte is imported, or refused with a VecafError."""
    path = make_zip(tmp_path / "a.zip", {"a/0.jpg": jpeg(0), "metadata.csv": b"file_name\na/0.jpg"})
    content = path.read_bytes()
    for at in range(0, len(content), 17):
        for byte in (0x00, 0xFF, content[at] ^ 0x10):
            path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
            try:
                import_dataset(store, path, f"at {at} {byte}")
            except VecafError as error:
                assert str(error)


def test_a_member_with_an_invalid_name_is_refused_alone(store: Store, tmp_path: Path) -> None:
    """Found by fuzzing: the name in the directory is valid, the name in the local header is not."""
    path = make_zip(tmp_path / "a.zip", {**photos("a", "b"), "a/été.jpg": jpeg(9)})
    content, name = path.read_bytes(), "été.jpg".encode()
    assert content.count(name) == 2
    path.write_bytes(content.replace(name, b"\xc2" * len(name), 1))
    report = import_dataset(store, path, "a")
    assert report.images == 6
    assert "damaged" in reasons(report)["a/été.jpg"]
