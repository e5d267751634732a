"""Every export can be imported again, and the library of its format reads it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.datasets.formats.facts import CLASSES, Item, expected, items, stored
from tests.datasets.pictures import jpeg, make_zip
from vecaf.datasets import import_dataset
from vecaf.datasets.export_images import ExportedImage
from vecaf.datasets.exporting import export_dataset
from vecaf.datasets.writers import TITLES, WRITERS
from vecaf.datasets.writers.shards import shards
from vecaf.store import Store


@pytest.fixture
def dataset(store: Store, tmp_path: Path) -> int:
    """The id of an imported dataset called "first"."""
    found = items()
    members = {f"{one.split}/{one.name}": one.content for one in found}
    members |= {"train/unlabeled.jpg": jpeg(999)}
    lines = [f"{one.split}/{one.name},{one.label},{one.caption},{one.split}\n" for one in found]
    table = "file_name,label,text,split\n" + "".join(line.replace(", n", " n") for line in lines)
    source = make_zip(tmp_path / "in.zip", members | {"metadata.csv": table.encode()})
    return import_dataset(store, source, "first").dataset_id


@pytest.mark.parametrize("place", ["folder", "out.zip"])
@pytest.mark.parametrize("name", list(WRITERS))
def test_a_round_trip(store: Store, tmp_path: Path, dataset: int, name: str, place: str) -> None:
    assert name in TITLES
    done = export_dataset(store, store.owner(), dataset, tmp_path / place, name)
    report = import_dataset(store, tmp_path / place, "second")
    assert done == (report.images, 0)
    assert set(report.refused) <= {one for one in report.refused if one.file == "README.md"}
    wanted = expected(stored(store, "first"), captions=name != "fiftyone")
    assert stored(store, "second") == wanted


def pixels_of(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


@pytest.mark.parametrize("name", ["parquet", "imagefolder"])
def test_datasets_reads_it(
    store: Store, tmp_path: Path, dataset: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    export_dataset(store, store.owner(), dataset, tmp_path / "out", name)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "validation", "test"}
    found = []
    for split, rows in loaded.items():
        if name == "parquet":
            assert rows.features["label"].names == CLASSES
        for row in rows:
            label = row["label"]
            label = CLASSES[label] if isinstance(label, int) else label
            content = row["image"].convert("RGB").tobytes()
            split = {"validation": "val"}.get(split, split)
            found.append(Item(split, content, label or "", row["text"] or ""))
    assert sorted(found) == pixels(store)


def pixels(store: Store) -> list[Item]:
    """Return the first dataset with pixels instead of files."""
    return sorted(
        Item(one.split, pixels_of(one.content), one.label, one.caption)
        for one in stored(store, "first")
    )


def test_webdataset_reads_it(store: Store, tmp_path: Path, dataset: int) -> None:
    import webdataset

    export_dataset(store, store.owner(), dataset, tmp_path / "out", "webdataset")
    classes = (tmp_path / "out" / "classes.txt").read_text().split("\n")
    found = []
    for split in ("train", "val", "test"):
        shard = str(tmp_path / "out" / f"{split}-000000.tar")
        for sample in webdataset.WebDataset(shard, shardshuffle=False):
            content = sample.get("jpg") or sample.get("png")
            label = classes[int(sample["cls"])] if "cls" in sample else ""
            found.append(Item(split, content, label, sample.get("txt", b"").decode()))
    assert sorted(found) == stored(store, "first")


def test_pycocotools_reads_it(store: Store, tmp_path: Path, dataset: int) -> None:
    from pycocotools.coco import COCO

    out = tmp_path / "out"
    export_dataset(store, store.owner(), dataset, out, "coco")
    found = []
    for split in ("train", "val", "test"):
        labels = COCO(out / "annotations" / f"instances_{split}.json")
        captions = COCO(out / "annotations" / f"captions_{split}.json")
        for image in labels.loadImgs(labels.getImgIds()):
            own = labels.loadAnns(labels.getAnnIds(imgIds=[image["id"]]))
            words = captions.loadAnns(captions.getAnnIds(imgIds=[image["id"]]))
            label = labels.loadCats([own[0]["category_id"]])[0]["name"] if own else ""
            caption = words[0]["caption"] if words else ""
            content = (out / image["file_name"]).read_bytes()
            found.append(Item(split, content, label, caption))
    assert sorted(found) == stored(store, "first")


def test_shards_are_of_limited_size(tmp_path: Path) -> None:
    images = []
    for i, size in enumerate((40, 40, 40, 200, 10)):
        path = tmp_path / f"{i}.jpg"
        path.write_bytes(bytes(size))
        images.append(ExportedImage(path.name, path, None, None, "train"))
    sizes = [[one.source.stat().st_size for one in group] for group in shards(images, 100)]
    assert sizes == [[40, 40], [40], [200], [10]]
