"""What the libraries of each format write is imported with the same images and metadata."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.datasets.formats.facts import CLASSES, Item, expected, items, stored
from tests.datasets.pictures import make_zip
from vecaf.datasets import import_dataset
from vecaf.datasets.columns import Columns
from vecaf.datasets.formats import FORMATS, ImportOptions
from vecaf.errors import InputError
from vecaf.store import Store


def zipped(folder: Path) -> Path:
    """Return a ZIP file of a folder, as a user would upload it."""
    members = {
        path.relative_to(folder.parent).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return make_zip(folder.with_suffix(".zip"), members)


def check(store: Store, path: Path, found: list[Item], *, captions: bool = True) -> None:
    """Import a folder, and a ZIP file of it; both give the same images and metadata."""
    for source, name in ((path, "folder"), (zipped(path), "upload")):
        report = import_dataset(store, source, name)
        assert report.refused == ()
        assert stored(store, name) == expected(found, captions=captions)


def huggingface(found: list[Item]) -> object:
    import datasets

    features = datasets.Features({
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=CLASSES),
        "text": datasets.Value("string"),
    })  # fmt: skip
    return datasets.DatasetDict({
        {"val": "validation"}.get(split, split): datasets.Dataset.from_list(
            [
                {
                    "image": {"bytes": one.content, "path": one.name},
                    "label": CLASSES.index(one.label),
                    "text": one.caption or None,
                }
                for one in found
                if one.split == split
            ],
            features=features,
        )
        for split in ("train", "val", "test")
    })  # fmt: skip


def test_datasets_save_to_disk(store: Store, tmp_path: Path) -> None:
    found = items()
    huggingface(found).save_to_disk(tmp_path / "saved")  # type: ignore[attr-defined]
    check(store, tmp_path / "saved", found)


def test_datasets_to_parquet(store: Store, tmp_path: Path) -> None:
    found = items()
    folder = tmp_path / "hub" / "data"
    folder.mkdir(parents=True)
    for split, one in huggingface(found).items():  # type: ignore[attr-defined]
        one.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    check(store, tmp_path / "hub", found)
    report = import_dataset(store, folder / "test-00000-of-00001.parquet", "one file")
    assert report.images == sum(one.split == "test" for one in found)


def test_webdataset_tar_writer(store: Store, tmp_path: Path) -> None:
    import webdataset

    found = items()
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    for split in ("train", "val", "test"):
        with webdataset.TarWriter(str(folder / f"{split}-000000.tar")) as sink:
            for i, one in enumerate(one for one in found if one.split == split):
                extension = one.name.rsplit(".", 1)[-1]
                sample: dict[str, object] = {"__key__": f"{i:06}", extension: one.content}
                sample["cls"] = CLASSES.index(one.label)
                if one.caption:
                    sample["txt"] = one.caption
                sample["meta.pyd"] = {"never": "loaded"}
                sink.write(sample)
    check(store, folder, found)


def test_webdataset_with_json_and_gzip(store: Store, tmp_path: Path) -> None:
    import webdataset

    found = items()
    folder = tmp_path / "shards"
    folder.mkdir()
    with webdataset.TarWriter(str(folder / "all.tar.gz"), compress=True) as sink:
        for i, one in enumerate(found):
            extension = one.name.rsplit(".", 1)[-1]
            fields: dict[str, object] = {
                "animal": one.label,
                "words": one.caption or None,
                "split": one.split,
            }
            sample = {"__key__": f"{i:06}", extension: one.content, "json": fields}
            sink.write(sample)
    options = ImportOptions(columns=Columns(label="animal", caption="words"))
    import_dataset(store, folder, "named", options=options)
    assert stored(store, "named") == expected(found)


def coco(found: list[Item], folder: Path) -> None:
    """Write COCO's folders: images by split, and their annotations."""
    for split in ("train", "val", "test"):
        here = folder / f"{split}2017"
        here.mkdir(parents=True)
        document: dict[str, list[dict[str, object]]] = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 10 + i, "name": name} for i, name in enumerate(CLASSES)],
        }
        for i, one in enumerate(one for one in found if one.split == split):
            (here / one.name).write_bytes(one.content)
            size = {"width": 24, "height": 24}
            document["images"].append({"id": i, "file_name": f"{split}2017/{one.name}", **size})
            for j in range(2):  # two objects of one category
                document["annotations"].append({
                    "id": 2 * i + j, "image_id": i, "category_id": 10 + CLASSES.index(one.label),
                    "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0,
                })  # fmt: skip
        name = folder / "annotations" / f"instances_{split}2017.json"
        name.parent.mkdir(exist_ok=True)
        name.write_text(json.dumps(document))


def test_coco_that_pycocotools_reads(store: Store, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    found = items()
    coco(found, tmp_path / "coco")
    read = COCO(tmp_path / "coco" / "annotations" / "instances_train2017.json")
    assert len(read.getImgIds()) == sum(one.split == "train" for one in found)
    check(store, tmp_path / "coco", found, captions=False)


def test_fiftyone_classification_export(store: Store, tmp_path: Path) -> None:
    found = items()
    for split in ("train", "val", "test"):
        data = tmp_path / "export" / split / "data"
        data.mkdir(parents=True)
        labels = {}
        for one in (one for one in found if one.split == split):
            (data / one.name).write_bytes(one.content)
            labels[one.name.rsplit(".", 1)[0]] = CLASSES.index(one.label)
        document = {"classes": CLASSES, "labels": labels}
        (data.parent / "labels.json").write_text(json.dumps(document))
    check(store, tmp_path / "export", found, captions=False)


def label_studio_task(one: Item, number: int, **values: object) -> dict[str, object]:
    """Return a task of Label Studio's JSON export."""
    result = [{
        "from_name": "choice", "to_name": "image", "type": "choices", "origin": "manual",
        "value": {"choices": [one.label]},
    }]  # fmt: skip
    annotation = {"id": number, "was_cancelled": False, "ground_truth": False, "result": result}
    image = f"/data/upload/1/0a1b2c3d-{one.name}"
    return {
        "id": number,
        "annotations": [annotation | {"updated_at": "2026-01-02T00:00:00Z"}],
        "predictions": [],
        "data": {"image": image, "caption": one.caption, "split": one.split},
    } | values


@pytest.mark.parametrize("short", [False, True])
def test_label_studio_export(store: Store, tmp_path: Path, short: bool) -> None:
    found = items()
    folder = tmp_path / "project"
    (folder / "images").mkdir(parents=True)
    tasks = []
    for i, one in enumerate(found):
        (folder / "images" / one.name).write_bytes(one.content)
        task = label_studio_task(one, i)
        data = task["data"]
        assert isinstance(data, dict)
        tasks.append({**data, "choice": one.label, "id": i, "lead_time": 1.5} if short else task)
    (folder / "project-1-at-2026-01-02.json").write_text(json.dumps(tasks))
    check(store, folder, found)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_table_with_other_column_names(store: Store, tmp_path: Path, kind: str) -> None:
    found = items()
    folder = tmp_path / "table"
    (folder / "files").mkdir(parents=True)
    rows = []
    for one in found:
        (folder / "files" / one.name).write_bytes(one.content)
        rows.append([f"files/{one.name}", one.label, one.caption, one.split, "0"])
    columns = ["location", "species", "words", "split", "label"]
    separator = "\t" if kind == "tsv" else ";"
    lines = [separator.join(row) for row in [columns, *rows]]
    if kind == "jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    (folder / f"list.{kind}").write_text("\n".join(lines) + "\n")
    options = ImportOptions("table", Columns("location", "species", "words"))
    import_dataset(store, folder, "named", options=options)
    assert stored(store, "named") == expected(found)
    report = import_dataset(store, folder / f"list.{kind}", "one file", options=options)
    assert report.images == len(found)
    assert FORMATS["table"].preview is not None
    with pytest.raises(InputError, match="no column 'nothing'"):
        wrong = ImportOptions("table", Columns("location", "nothing"))
        import_dataset(store, folder, "wrong", options=wrong)
