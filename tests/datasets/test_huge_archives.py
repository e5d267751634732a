"""An archive with a million entries is refused before it is read, or imported within limits."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets.pictures import jpeg, make_zip, photos
from vecaf.datasets import import_dataset
from vecaf.errors import InputError
from vecaf.settings import Limits, Settings
from vecaf.store import Store

MILLION = 1_000_000
ROOT = Path(__file__).parents[2]


def million(path: Path, good: int = 3, content: bytes = b"<svg/>") -> Path:
    """Write a valid ZIP with a million stored entries: a few images, then other files."""
    local = struct.Struct("<4s5H3L2H")
    central = struct.Struct("<4s6H3L5H2L")
    records = io.BytesIO()
    with path.open("wb") as file:
        for number in range(MILLION):
            body = jpeg(number) if number < good else content
            name = f"a/{number:07}.jpg".encode()
            facts = (zlib.crc32(body), len(body), len(body))
            at = file.tell()
            file.write(local.pack(b"PK\3\4", 20, 0, 0, 0, 33, *facts, len(name), 0) + name + body)
            records.write(
                central.pack(b"PK\1\2", 20, 20, 0, 0, 0, 33, *facts, len(name), 0, 0, 0, 0, 0, at)
                + name
            )
        at, size = file.tell(), records.tell()
        file.write(records.getvalue())
        end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, MILLION, MILLION, size, at)
        file.write(end + struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1))
        most = (0xFFFF, 0xFFFF, min(size, 0xFFFFFFFF), 0xFFFFFFFF)
        file.write(struct.pack("<4s2H2H2LH", b"PK\5\6", 0, 0, *most, 0))
    return path


def test_more_entries_than_the_limit_are_refused_before_they_are_read(
    tmp_path: Path,
    nothing_imported: Callable[[], None],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = million(tmp_path / "a.zip")
    limited = Store(
        Settings(store.settings.home, store.settings.database_url, limits=Limits(max_members=9999))
    )
    monkeypatch.delattr(zipfile, "ZipFile")  # it would read every entry
    with pytest.raises(InputError, match="more than 9,999 files"):
        import_dataset(limited, path, "a")
    nothing_imported()


PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import Store
began = time.process_time()
report = import_dataset(Store.open(Settings.from_environment()), Path(sys.argv[1]), "million")
print(json.dumps({
    "images": report.images, "refused": report.refused_count, "listed": len(report.refused),
    "seconds": time.process_time() - began,
    "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


@pytest.mark.soak
def test_a_million_entries_are_read_within_time_and_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(million(tmp_path / "a.zip"))],
        cwd=ROOT,
        env=os.environ | {"VECAF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert (found["images"], found["refused"]) == (3, MILLION - 3)
    assert found["listed"] < 10_000  # the report stays short
    assert found["seconds"] < 300, found
    assert found["mebibytes"] < 3000, found


def test_archives_in_archives_are_not_opened(store: Store, tmp_path: Path) -> None:
    """A nested bomb (42.zip) is harmless, since an inner archive is not an image."""
    inner = make_zip(tmp_path / "inner.zip", photos("cat")).read_bytes()
    for _ in range(5):
        inner = make_zip(tmp_path / "inner.zip", {f"{i}.zip": inner for i in range(4)}).read_bytes()
    members = photos("cat", "dog") | {"deep/layers.zip": inner, "cat/named.jpg": inner}
    report = import_dataset(store, make_zip(tmp_path / "a.zip", members), "a")
    assert report.images == 6
    reasons = {one.file: one.reason for one in report.refused}
    assert "a ZIP file" in reasons["cat/named.jpg"]
    assert "ZIP" in reasons.get("deep/layers.zip", "ZIP")
