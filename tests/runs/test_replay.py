"""Receipts repeat a selection or say why they cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import vecaf.export.bundle
from tests.finished import CONFIG, finish_run, new_studio
from tests.shapes import make_samples
from vecaf.datasets import import_dataset
from vecaf.datasets.edits import edit
from vecaf.datasets.pool import load_samples
from vecaf.errors import InputError
from vecaf.export.bundle import export_run
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


@contextmanager
def exported_run(folder: Path) -> Iterator[Done]:
    """Finish a run in a new home and export it."""
    store = new_studio(folder / "home")
    run_id = finish_run(store)
    export_run(store, store.owner(), run_id, folder / "export")
    yield Done(store, run_id, folder / "export")
    store.close()


@pytest.fixture(scope="module", autouse=True)
def without_onnx() -> Iterator[None]:
    """ONNX takes seconds, and a receipt does not depend on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vecaf.export.bundle, "_onnx", lambda folder: "No ONNX here.")
        yield


@pytest.fixture(scope="module")
def done(without_onnx: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    with exported_run(tmp_path_factory.mktemp("run")) as done:
        yield done


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
    other = done.replay(replace(done.receipt, config=replace(CONFIG, strategy="random")))
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


def test_a_first_round_from_a_saved_selection_is_not_compared(done: Done, tmp_path: Path) -> None:
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
    tmp_path: Path,
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
        ({"dataset": {"name": "x" * 2000, "content_hash": ""}}, "'name' is not text"),
        ({"dataset": {"name": "x", "content_hash": 3}}, "'content_hash' is not text"),
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
