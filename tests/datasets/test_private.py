"""Private metadata of cameras and editors is neither stored nor exported."""

from __future__ import annotations

import zipfile
from pathlib import Path

from PIL import Image

from tests.datasets.conftest import samples
from tests.datasets.pictures import make_zip, packed, pixels
from tests.datasets.test_images import GPS, with_exif
from vecaf.datasets import import_dataset
from vecaf.datasets.exporting import export_dataset
from vecaf.datasets.pool import image_path
from vecaf.export.model_card import contact_sheet
from vecaf.housekeeping.backup import write_backup
from vecaf.store import Store

ENDING = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def test_no_file_and_no_export_contains_a_location(store: Store, tmp_path: Path) -> None:
    members = {
        f"{label}/{kind}-{turn}.{ENDING[kind]}": with_exif(kind, turn)
        for label, turns in (("cat", (1, 3, 6)), ("dog", (2, 5, 8)))
        for kind in ENDING
        for turn in turns
    }
    exif = Image.Exif()
    exif[0x010E] = GPS.decode()
    members["cat/large.jpg"] = packed(
        pixels(7, 300), "JPEG", exif=exif, comment=GPS
    )  # with a thumbnail
    members["cat/cut.jpg"] = members["cat/large.jpg"][:-40]  # refused, with a thumbnail
    members["dog/old.gif"] = packed(pixels(8, 300).convert("P"), "GIF", comment=GPS)
    report = import_dataset(store, make_zip(tmp_path / "photos.zip", members), "photos")
    assert (report.images, report.refused_count) == (20, 1)

    out = tmp_path / "out"
    export_dataset(store, store.owner(), report.dataset_id, out / "folder")
    export_dataset(store, store.owner(), report.dataset_id, out / "archive.zip")
    with zipfile.ZipFile(out / "archive.zip") as archive:
        archive.extractall(out / "unpacked")
    paths = [
        image_path(store.settings.images, one.sha256, one.extension)
        for one in samples(store, "photos")
    ]
    sheet = contact_sheet(paths)
    assert sheet is not None
    (out / "sheet.jpg").write_bytes(sheet)
    write_backup(store, out / "backup.tar")

    written = [path for root in (store.settings.home, out) for path in root.rglob("*")]
    files = [path for path in written if path.is_file()]
    assert len(files) > 20 * 3
    for path in files:
        content = path.read_bytes()
        assert GPS not in content, path
        assert b"GPS" not in content or path.suffix in (".db", ".tar"), path
        if path.suffix in (".jpg", ".png", ".webp"):
            with Image.open(path) as image:
                assert set(image.getexif()) <= {0x0112}, path  # only the orientation
                assert not image.getexif().get_ifd(0x8825), path
