"""Exports are complete or absent, and describe the run."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

import vecaf.export.bundle
from tests.runs.test_replay import Done, exported_run
from vecaf.errors import InputError, NotFoundError
from vecaf.export import model_files
from vecaf.export.bundle import build_archive, export_run, remove_abandoned_exports
from vecaf.export.receipt import read_receipt


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    with exported_run(tmp_path_factory.mktemp("run")) as done:
        yield done


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX takes seconds and is tested elsewhere."""
    monkeypatch.setattr(vecaf.export.bundle, "_onnx", lambda folder: "No ONNX here.")


def test_an_export_holds_what_it_lists(done: Done) -> None:
    value = json.loads((done.folder / "receipt.json").read_text())
    listed = {entry["name"]: entry for entry in value["files"]}
    there = {path.name for path in done.folder.iterdir()}
    assert there == {*listed, "receipt.json"}
    assert {"model.onnx", "model.safetensors", "predict.py", "selection.csv"} <= there
    for name, entry in listed.items():
        content = (done.folder / name).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert value["versions"][0]["torch"]
    picked = [key for entry in value["selections"] for key in entry["sha256"]]
    with (done.folder / "selection.csv").open(newline="") as file:
        assert [row["sha256"] for row in csv.DictReader(file)] == picked


def test_a_receipt_of_an_earlier_version_is_read(done: Done, tmp_path: Path) -> None:
    value = json.loads((done.folder / "receipt.json").read_text())
    old = value | {"format": 2, "picks": value.pop("selections")}
    old["config"]["picks"] = old["config"].pop("training_images")
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(old))
    assert read_receipt(path) == read_receipt(done.folder / "receipt.json")


def test_the_card_shows_the_run(done: Done) -> None:
    card = (done.folder / "README.md").read_text()
    assert "largest difference of a logit was" in card
    assert "(accuracy.svg)" in card and "(selected.jpg)" in card
    drawing = ElementTree.parse(done.folder / "accuracy.svg").getroot()
    assert len(drawing.findall(".//{*}circle")) == 4  # two rounds, test and validation
    with Image.open(done.folder / "selected.jpg") as sheet:
        assert sheet.size == (10 * 76 + 4, 2 * 76 + 4)  # 12 images, ten per row


def test_versions_are_those_of_the_run_not_of_the_export(
    done: Done, tmp_path: Path, without_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecaf.export.environment.version", lambda name: "99.9")
    export_run(done.store, done.store.owner(), done.run_id, tmp_path / "later")
    assert read_receipt(tmp_path / "later" / "receipt.json") == done.receipt
    found = done.replay()
    assert found.matches
    assert "here 99.9" in found.notes[-1]


def test_another_precision_or_device_is_noted(done: Done) -> None:
    (versions,) = done.receipt.versions
    assert (versions["device"], versions["precision"]) == ("cpu", "float32")
    elsewhere = versions | {"device": "cuda", "precision": "bfloat16", "vecaf": "0123456789ab"}
    (note,) = done.replay(replace(done.receipt, versions=(elsewhere,))).notes
    assert "device cuda, here cpu; precision bfloat16, here float32" in note
    assert f"vecaf 0123456789ab, here {versions['vecaf']}" in note
    for name in ("device", "precision", "vecaf"):  # noted later than the others
        del versions[name]
    assert not done.replay(replace(done.receipt, versions=(versions,))).notes


def test_an_export_that_fails_leaves_nothing_and_can_be_tried_again(
    done: Done, tmp_path: Path, without_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("the lights went out")

    with monkeypatch.context() as broken:
        broken.setattr(vecaf.export.bundle, "accuracy_plot", fail)
        with pytest.raises(RuntimeError):
            export_run(done.store, done.store.owner(), done.run_id, tmp_path / "new" / "out")
        with pytest.raises(RuntimeError):
            build_archive(done.store, done.store.owner(), done.run_id)
    assert not list((tmp_path / "new").iterdir())
    kept = done.store.settings.runs / str(done.run_id) / "export"
    assert not list(kept.iterdir())
    files = export_run(done.store, done.store.owner(), done.run_id, tmp_path / "new" / "out")
    assert {path.name for path in files} >= {"README.md", "receipt.json"}
    with pytest.raises(InputError, match="not empty"):
        export_run(done.store, done.store.owner(), done.run_id, tmp_path / "new" / "out")


def test_the_archive_is_made_once_and_leftovers_are_swept(done: Done, without_onnx: None) -> None:
    owner, settings = done.store.owner(), done.store.settings
    archive = build_archive(done.store, owner, done.run_id)
    before = archive.stat().st_mtime_ns
    killed = archive.parent / ".building-killed"
    killed.mkdir()
    (killed / "model.onnx").write_bytes(b"half")
    half = archive.parent / f".{archive.name}.x.tmp"
    half.write_bytes(b"half")
    download = settings.home / "download-old"
    download.mkdir()
    remove_abandoned_exports(settings)
    for path in (killed, half, download):
        assert path.exists()  # as a third studio could have it
        os.utime(path, (0, 0))
    remove_abandoned_exports(settings)
    assert list(archive.parent.iterdir()) == [archive]
    assert not download.exists()
    assert build_archive(done.store, owner, done.run_id).stat().st_mtime_ns == before
    with zipfile.ZipFile(archive) as content:
        assert content.testzip() is None
        assert {"receipt.json", "model.safetensors"} <= set(content.namelist())
    with pytest.raises(NotFoundError):
        build_archive(done.store, owner + 1, done.run_id)


def test_an_archive_without_onnx_is_rebuilt_when_the_packages_are_installed(
    done: Done, without_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = done.store.owner()
    whole = build_archive(done.store, owner, done.run_id)
    whole.unlink()
    with monkeypatch.context() as bare:
        bare.setattr(model_files, "PACKAGES", ("onnx_that_nobody_has",))
        less = build_archive(done.store, owner, done.run_id)
        assert less != whole
        assert build_archive(done.store, owner, done.run_id) == less
    assert build_archive(done.store, owner, done.run_id) == whole
    assert list(whole.parent.iterdir()) == [whole]
    monkeypatch.setattr(model_files, "PACKAGES", ("onnx_that_nobody_has",))
    assert build_archive(done.store, owner, done.run_id) == whole  # which has it
