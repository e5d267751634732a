"""Every import format: recognized by content; bad input ends in a report or a sentence."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.conftest import nothing_imported, store
from tests.datasets.pictures import jpeg
from vecaf.datasets import import_dataset
from vecaf.datasets.formats import FORMATS, ImportOptions
from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import Store

__all__ = ["nothing_imported", "store"]

NAMES = [f"{i}.jpg" for i in range(8)]
LABELS = ["cat", "dog"] * 4


def write_images(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(NAMES):
        (folder / name).write_bytes(jpeg(i))


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def rows(**columns: list[object]) -> pa.Table:
    images = [{"bytes": jpeg(i), "path": name} for i, name in enumerate(NAMES)]
    return pa.table({"image": images, **columns})


def huggingface(folder: Path) -> Path:
    pq.write_table(rows(label=list(LABELS)), folder / "rows.parquet")
    return folder / "rows.parquet"


def webdataset(folder: Path) -> Path:
    members: dict[str, bytes] = {}
    for i, label in enumerate(LABELS):
        members |= {f"{i}.jpg": jpeg(i), f"{i}.cls": label.encode()}
    (folder / "shard.tar").write_bytes(tar(members))
    return folder / "shard.tar"


def fiftyone(folder: Path) -> Path:
    write_images(folder / "data")
    labels = {str(i): label for i, label in enumerate(LABELS)}
    (folder / "labels.json").write_text(json.dumps({"classes": None, "labels": labels}))
    return folder / "labels.json"


def coco(folder: Path) -> Path:
    write_images(folder)
    document = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(NAMES)],
        "annotations": [{"id": i, "image_id": i, "category_id": i % 2} for i in range(8)],
        "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
    }
    (folder / "coco.json").write_text(json.dumps(document))
    return folder / "coco.json"


def label_studio(folder: Path) -> Path:
    write_images(folder)
    tasks = [
        {"data": {"image": name}, "annotations": [{"result": [choices(label)]}]}
        for name, label in zip(NAMES, LABELS, strict=True)
    ]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    return folder / "tasks.json"


def choices(*labels: str) -> dict[str, object]:
    return {"type": "choices", "from_name": "choice", "value": {"choices": list(labels)}}


def table(folder: Path) -> Path:
    write_images(folder)
    lines = [f"{name},{label}\n" for name, label in zip(NAMES, LABELS, strict=True)]
    (folder / "list.csv").write_text("path,class\n" + "".join(lines))
    return folder / "list.csv"


def imagefolder(folder: Path) -> Path:
    write_images(folder)
    lines = [f"{name},{label}\n" for name, label in zip(NAMES, LABELS, strict=True)]
    (folder / "metadata.csv").write_text("file_name,label\n" + "".join(lines))
    return folder / "metadata.csv"


WRITERS: dict[str, Callable[[Path], Path]] = {
    "huggingface": huggingface,
    "webdataset": webdataset,
    "fiftyone": fiftyone,
    "coco": coco,
    "label-studio": label_studio,
    "table": table,
    "imagefolder": imagefolder,
}
each_format = pytest.mark.parametrize("name", list(FORMATS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder to import; the studio's home is beside it."""
    found = tmp_path / "upload"
    found.mkdir()
    return found


def attempt(store: Store, folder: Path, name: str = "") -> str:
    """Import a folder. Return the report or the error as text; an error has stored nothing."""
    try:
        return import_dataset(store, folder, "data", options=ImportOptions(name)).as_text()
    except InputError as error:
        return str(error)


@each_format
def test_a_format_is_recognized_by_its_content(store: Store, folder: Path, name: str) -> None:
    WRITERS[name](folder)
    report = import_dataset(store, folder, "data")
    assert (report.images, sorted(report.classes)) == (8, ["cat", "dog"])
    assert report.unlabeled == report.refused_count == 0


@each_format
def test_another_format_is_one_sentence(
    store: Store, folder: Path, nothing_imported: Callable[[], None], name: str
) -> None:
    """A forced format that does not fit says what is missing."""
    if name == "imagefolder":
        pytest.skip("reads any folder")
    write_images(folder)
    with pytest.raises(InputError, match="There is no"):
        import_dataset(store, folder, "data", options=ImportOptions(name))
    nothing_imported()


@each_format
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file(store: Store, folder: Path, name: str, share: float) -> None:
    path = WRITERS[name](folder)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    text = attempt(store, folder, name)
    whole = share == 0.9 and name == "webdataset"  # a tar file ends with many zeros
    said = (path.name, "no images", "no column", "left out", "not listed")
    assert whole or any(words in text for words in said)


@each_format
def test_any_bytes(store: Store, folder: Path, name: str) -> None:
    path = WRITERS[name](folder)
    for content in (b"\x00" * 600, b"[[[[" * 400, b'{"images": 3, "labels": []}', b"a,b\n1\n"):
        path.write_bytes(content)
        assert attempt(store, folder, name)


@each_format
def test_names_lead_nowhere(store: Store, folder: Path, name: str) -> None:
    """Paths out of the folder and absolute paths find no file, or only one of the same name."""
    secret = folder.parent / "secret.jpg"
    secret.write_bytes(jpeg(99))
    path = WRITERS[name](folder)
    if name in ("huggingface", "webdataset"):
        hostile = {"../../secret.jpg": jpeg(50), "../../secret.cls": b"cat"}
        path.write_bytes(tar(hostile))
        if name == "huggingface":
            images = [
                {"bytes": None, "path": "../secret.jpg"},
                {"bytes": None, "path": str(secret)},
            ]
            pq.write_table(pa.table({"image": images, "label": ["cat", "dog"]}), path)
    else:
        for wrong in ("../secret.jpg", str(secret)):
            path.write_text(path.read_text().replace(NAMES[0], wrong))
    attempt(store, folder, name)
    kept = {one.read_bytes() for one in store.settings.images.rglob("*.jpg")}
    assert secret.read_bytes() not in kept


def several_in_shard(path: Path) -> None:
    path.write_bytes(tar({"0.jpg": jpeg(0), "0.json": b'{"label": ["cat", "dog"]}'}))


SEVERAL: dict[str, Callable[[Path], None]] = {
    "huggingface": lambda path: pq.write_table(rows(label=[["cat", "dog"]] * 8), path),
    "webdataset": several_in_shard,
    "fiftyone": lambda path: replace(path, '"cat"', '["cat", "dog"]'),
    "coco": lambda path: replace(path, '"image_id": 3', '"image_id": 2'),
    "label-studio": lambda path: replace(path, '["cat"]', '["cat", "dog"]'),
}


def replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("name", list(SEVERAL))
def test_several_labels_are_refused(
    store: Store, folder: Path, nothing_imported: Callable[[], None], name: str
) -> None:
    SEVERAL[name](WRITERS[name](folder))
    with pytest.raises(InputError, match=r"has several labels .*one label per image"):
        import_dataset(store, folder, "data")
    nothing_imported()


class Dangerous:
    """Its pickle writes a file when it is loaded."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, bytes]]:
        return write_proof, (str(self.proof), b"")


def write_proof(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


def test_pickles_are_never_loaded(store: Store, folder: Path) -> None:
    proof = folder.parent / "proof"
    content = pickle.dumps(Dangerous(proof))
    for i, kind in enumerate(("pyd", "pickle", "pkl", "pth")):
        members = {f"{i}.jpg": jpeg(i), f"{i}.cls": b"cat", f"{i}.{kind}": content}
        (folder / f"{i}.tar").write_bytes(tar(members))
    text = attempt(store, folder)
    assert "4 pickle or NumPy files ignored" in text
    assert not proof.exists()


def test_bombs_are_refused(
    folder: Path, nothing_imported: Callable[[], None], store: Store
) -> None:
    shard = folder / "zeros.tar.gz"
    with gzip.open(shard, "wb", compresslevel=9) as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    assert "decompression bomb" in attempt(store, folder)
    shard.unlink()
    zeros = [{"bytes": bytes(1 << 20), "path": f"{i}.jpg"} for i in range(64)]
    pq.write_table(
        pa.table({"image": zeros}),
        folder / "zeros.parquet",
        compression="zstd",
        use_dictionary=False,
    )
    assert "more than the limits" in attempt(store, folder)
    (folder / "zeros.parquet").unlink()
    data = pa.table({"image": zeros})
    with pa.OSFile(str(folder / "zeros.arrow"), "wb") as sink:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, data.schema, options=options) as writer:
            writer.write_table(data)
    assert "compressed Arrow file" in attempt(store, folder)
    nothing_imported()


def test_limits_hold_for_large_members(tmp_path: Path) -> None:
    environment = {"VECAF_HOME": str(tmp_path / "home"), "VECAF_MAX_MEMBER_BYTES": "100"}
    small = Store.open(Settings.from_environment(environment))
    for name in ("huggingface", "webdataset"):
        folder = tmp_path / name
        folder.mkdir()
        WRITERS[name](folder)
        assert "the limit for one file" in attempt(small, folder)


def test_an_unknown_format_lists_the_known_ones(store: Store, folder: Path) -> None:
    write_images(folder)
    text = attempt(store, folder, "voc")
    assert "no format 'voc'" in text
    assert all(name in text for name in FORMATS)
