"""Exports are complete or absent; receipts repeat a selection or say why they cannot."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from PIL import Image

import vecaf.export.bundle
from tests.finished import CONFIG, finish_run, new_studio
from tests.shapes import make_samples
from vecaf.datasets import import_dataset
from vecaf.datasets.edits import edit
from vecaf.datasets.pool import load_samples
from vecaf.errors import InputError, NotFoundError
from vecaf.export import model_files
from vecaf.export.bundle import build_archive, export_run, remove_abandoned_exports
from vecaf.export.receipt import Receipt, read_receipt
from vecaf.runs.replay import _recorded_ids, replay
from vecaf.store import Dataset, Sample, Store
from vecaf.store.subsets import add_subset


@dataclass(frozen=True)
class Done:
    store: Store
    run_id: int
    folder: Path  # its export

    @property
    def receipt(self) -> Receipt:
        return read_receipt(self.folder / "receipt.json")

    def replay(self, receipt: Receipt | None = None) -> Any:
        return replay(self.store, self.store.owner(), receipt or self.receipt)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    store = new_studio(tmp_path_factory.mktemp("home"))
    run_id = finish_run(store)
    folder = tmp_path_factory.mktemp("exports") / "run"
    export_run(store, store.owner(), run_id, folder)
    yield Done(store, run_id, folder)
    store.close()


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


def test_a_replay_selects_the_same_images(done: Done) -> None:
    found = done.replay()
    assert found.matches
    assert [(r.round, r.selected, r.same) for r in found.rounds] == [(1, 6, 6), (2, 6, 6)]
    assert found.sentences()[-1] == "The selection matches."


def test_a_round_that_differs_is_named_and_does_not_hide_the_next(done: Done) -> None:
    first, second = done.receipt.selected
    swapped = replace(done.receipt, selected=(first, (second[1], second[0], *second[2:])))
    found = done.replay(swapped)
    assert [r.matches for r in found.rounds] == [True, False]
    assert "the same 6 images in a different order" in found.sentences()[1]
    other = done.replay(replace(done.receipt, config=replace(CONFIG, seed=5)))
    assert not other.matches


def test_a_run_on_a_gpu_is_replayed_on_a_machine_without(done: Done) -> None:
    found = done.replay(replace(done.receipt, config=replace(CONFIG, device="cuda:99")))
    assert found.matches
    assert "used cuda:99, which this machine does not have" in found.notes[0]


def test_a_replay_uses_the_labels_of_the_run_after_edits(done: Done) -> None:
    """All selected images get other labels; the run has kept its own."""
    owner = done.store.owner()
    keys = {key for picks in done.receipt.selected for key in picks}
    with done.store.write() as session:
        rows = session.execute(sa.select(Sample).where(Sample.sha256.in_(keys))).scalars().all()
        values = {sample.id: (int(sample.label or 0) + 1) % 3 for sample in rows}
        dataset_id = rows[0].dataset_id
        edit(session, owner, dataset_id, "label", values)
    found = done.replay()
    assert found.matches
    assert "have changed since the run. The replay used" in found.notes[0]
    stranger = replace(done.receipt, run=999)  # that run's labels are not stored
    assert "may differ" in done.replay(stranger).notes[0]


def test_the_same_images_in_another_home_under_another_name_match(
    done: Done, tmp_path: Path
) -> None:
    store = new_studio(tmp_path / "other", count=3, name="unrelated")  # ids start at another number
    import_dataset(store, done.store.settings.home / "drawn", "moved", user_id=store.owner())
    found = replay(store, store.owner(), done.receipt)
    assert (found.dataset, found.matches, found.notes) == ("moved", True, ())
    store.close()


def test_different_images_are_an_error(done: Done, tmp_path: Path) -> None:
    store = new_studio(tmp_path / "few", count=30)
    with pytest.raises(InputError, match="of the 12 selected images of the receipt are not in"):
        replay(store, store.owner(), done.receipt)
    with store.write() as session:
        session.execute(sa.update(Dataset).values(name="renamed"))
    with pytest.raises(InputError, match="none is called 'shapes'"):
        replay(store, store.owner(), done.receipt)
    store.close()


def test_a_first_round_from_a_saved_selection_is_not_compared(
    done: Done, without_onnx: None, tmp_path: Path
) -> None:
    owner = done.store.owner()
    with done.store.write() as session:
        query = sa.select(Sample).where(Sample.split == "train").order_by(Sample.id)
        rows = session.scalars(query).all()
        add_subset(session, owner, rows[0].dataset_id, "mine", "selection",
                   [sample.id for sample in rows[::5]])  # fmt: skip
    run_id = finish_run(done.store, replace(CONFIG, subset="mine"))
    export_run(done.store, owner, run_id, tmp_path / "given")
    found = done.replay(read_receipt(tmp_path / "given" / "receipt.json"))
    assert [r.matches for r in found.rounds] == [None, True]
    assert "used a saved selection of" in found.sentences()[0]


def test_a_replay_never_uses_the_unlabeled_copy_of_an_image(done: Done, tmp_path: Path) -> None:
    drawn = make_samples(tmp_path, 30)
    labels, keys = drawn.labels.copy(), list(drawn.keys)
    labels[[0, 1]], keys[0] = -1, keys[15]  # both in the pool
    samples = replace(drawn, labels=labels, keys=tuple(keys))
    receipt = replace(done.receipt, selected=((keys[15],),), copies=((0,),))
    (found,) = _recorded_ids(receipt, samples)
    assert found.tolist() == [samples.ids[15]]
    with pytest.raises(InputError, match="1 of the 1 selected images of the receipt"):
        _recorded_ids(replace(receipt, selected=((keys[1],),)), samples)


def test_a_replay_uses_the_copy_of_an_image_that_the_run_selected(
    tmp_path: Path, without_onnx: None
) -> None:
    """Every image is in the pool twice; the run uses the second copies."""
    store = new_studio(tmp_path / "home", count=12, name="once")
    drawn = tmp_path / "home" / "drawn"
    for path in sorted(drawn.rglob("*.png")):
        shutil.copyfile(path, path.with_stem(f"{path.stem}_again"))
    dataset = import_dataset(store, drawn, "twice", user_id=store.owner()).dataset_id
    with store.write() as session:
        rows = session.scalars(sa.select(Sample).where(Sample.dataset_id == dataset)).all()
        for sample in rows:
            sample.split = "train"
        given = [sample.id for sample in rows if "_again" in sample.file_name]
        add_subset(session, store.owner(), dataset, "second", "selection", given)
    config = replace(CONFIG, dataset="twice", subset="second", rounds=1, epochs=1)
    export_run(store, store.owner(), finish_run(store, config), tmp_path / "out")
    receipt = read_receipt(tmp_path / "out" / "receipt.json")
    with store.read() as session:
        samples = load_samples(session, session.get_one(Dataset, dataset), tmp_path)
    assert _recorded_ids(receipt, samples)[0].tolist() == given
    first = _recorded_ids(replace(receipt, copies=()), samples)[0].tolist()  # an old receipt
    assert not set(first) & set(given)
    store.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "not a receipt that this version can read"),
        ({"config": {"dataset": "x", "evil": 1}}, "Unknown setting 'evil'"),
        ({"config": []}, "no 'config'"),
        ({"dataset": {"name": "x" * 2000, "content_hash": ""}}, "'name' is not a short text"),
        ({"dataset": {"name": "x", "content_hash": 3}}, "'content_hash' is not a short text"),
        ({"selections": [{"round": 1, "sha256": ["../../etc/passwd"]}]}, "'selections' are not"),
        ({"selections": [{"round": 2, "sha256": ["0" * 64]}] * 2}, "'selections' are not"),
        ({"selections": "all"}, "'selections' are not"),
        (
            {"selections": [{"round": n, "sha256": ["0" * 64], "copies": []} for n in (1, 2)]},
            "'copies' are not",
        ),
        (
            {"selections": [{"round": n, "sha256": ["0" * 64], "copies": [-1]} for n in (1, 2)]},
            "'copies' is not a whole number",
        ),
        ({"run": -1}, "'run' is not a whole number"),
        ({"run": True}, "'run' is not a whole number"),
        ({"versions": [1]}, "'versions' are not"),
    ],
)
def test_a_bad_receipt_is_refused_with_a_message(
    change: dict[str, Any], words: str, done: Done, tmp_path: Path
) -> None:
    value = json.loads((done.folder / "receipt.json").read_text())
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(value | change))
    with pytest.raises(InputError, match=words):
        read_receipt(path)


@pytest.mark.parametrize("content", [b"", b"[1]", b"null", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_not_a_receipt_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="receipt"):
        read_receipt(path)
    path.unlink()
    for missing in (path, tmp_path):
        with pytest.raises(InputError):
            read_receipt(missing)
