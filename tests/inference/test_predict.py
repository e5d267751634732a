"""The prediction of an image, and the training images that explain it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from tests.finished import CONFIG, finish_run, new_studio
from vecaf.datasets.edits import edit
from vecaf.datasets.pool import image_path
from vecaf.errors import InputError, NotFoundError
from vecaf.export.predictor import Predictor
from vecaf.inference import predict as predicting
from vecaf.inference.predict import open_model, predict
from vecaf.inference.requests import InferenceContext
from vecaf.runs import trained_model
from vecaf.store import Dataset, Run, Sample, SelectedSample, Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = new_studio(tmp_path_factory.mktemp("home"))
    yield store
    store.close()


@pytest.fixture(scope="module", params=["head-only", "full"])
def run_id(store: Store, request: pytest.FixtureRequest) -> int:
    return finish_run(store, replace(CONFIG, mode=request.param, epochs=2))


def ask(store: Store, run_id: int, **question: Any) -> dict[str, Any]:
    return predict(InferenceContext(store), store.owner(), run_id=run_id, **question)


def picked(store: Store, run_id: int) -> list[int]:
    with store.read() as session:
        query = sa.select(SelectedSample.sample_id).where(SelectedSample.run_id == run_id)
        return list(session.scalars(query))


def test_a_prediction_equals_that_of_the_exported_model(store: Store, run_id: int) -> None:
    with store.read() as session:
        samples = session.scalars(sa.select(Sample).where(Sample.split == "test")).all()
    predictor = Predictor.load(store.settings.runs / str(run_id) / "model", "cpu")
    for sample in samples[:3]:
        path = image_path(store.settings.images, sample.sha256, sample.extension)
        expected = predictor.predict(path, top=3)
        for question in ({"sample_id": sample.id}, {"path": str(path)}):
            answer = ask(store, run_id, **question)
            found = {entry["name"]: entry["share"] for entry in answer["classes"]}
            assert found == pytest.approx(expected, abs=1e-4)


def test_an_opened_model_is_not_loaded_again(
    store: Store, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicting._load.cache_clear()
    with pytest.raises(NotFoundError):
        open_model(InferenceContext(store), store.owner() + 1, run_id=run_id)
    opened = open_model(InferenceContext(store), store.owner(), run_id=run_id)
    assert opened == {"training": len(picked(store, run_id))}
    monkeypatch.setattr(trained_model, "Predictor", None)
    assert ask(store, run_id, sample_id=picked(store, run_id)[0])["classes"]


def test_explanations_are_training_images_in_order(store: Store, run_id: int) -> None:
    picks = picked(store, run_id)
    with store.read() as session:
        tested = session.scalar(sa.select(Sample.id).where(Sample.split == "test"))
    answer = ask(store, run_id, sample_id=tested)
    assert answer["training"] == len(picks) and not answer["trained_on_it"]
    for name, value in (("nearest", "similarity"), ("toward", "share"), ("against", "share")):
        values = [entry[value] for entry in answer[name]]
        assert values == sorted(values, reverse=True)
        assert {entry["id"] for entry in answer[name]} <= set(picks)
    assert 0.5 < sum(entry["share"] for entry in answer["toward"]) <= 1.001
    assert not {e["id"] for e in answer["toward"]} & {e["id"] for e in answer["against"]}


def test_images_beyond_the_compared_ones_were_trained_on_too(
    store: Store, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained_model, "MAX_TRAINING", 6)
    predicting._load.cache_clear()
    picks = picked(store, run_id)
    answers = [ask(store, run_id, sample_id=own) for own in picks]
    assert all(answer["trained_on_it"] for answer in answers)
    with store.read() as session:
        mode = session.get_one(Run, run_id).config["mode"]
    assert {answer["training"] for answer in answers} == {len(picks) if mode == "head-only" else 6}
    predicting._load.cache_clear()


def test_a_training_image_is_not_its_own_neighbor_and_contributes_to_its_class(
    store: Store, run_id: int
) -> None:
    """It contributes to its class while the probability is below the training target."""
    smoothing, found = CONFIG.label_smoothing, 0
    for own in picked(store, run_id):
        answer = ask(store, run_id, sample_id=own)
        assert answer["trained_on_it"]
        assert own not in {entry["id"] for entry in answer["nearest"]}
        with store.read() as session:
            sample = session.get_one(Sample, own)
            classes = session.get_one(Dataset, sample.dataset_id).classes
        first = answer["classes"][0]
        right = classes[int(sample.label or 0)] == first["name"]
        aim = smoothing / len(classes) + (1 - smoothing if right else 0)
        sides = [{entry["id"] for entry in answer[side]} for side in ("toward", "against")]
        assert own not in sides[first["share"] < aim]
        found += own in sides[first["share"] >= aim]
    assert found


def test_labels_edited_since_do_not_change_what_was_learned(store: Store, run_id: int) -> None:
    own = picked(store, run_id)[1]
    before = ask(store, run_id, sample_id=own)
    with store.write() as session:
        sample = session.get_one(Sample, own)
        edit(session, store.owner(), sample.dataset_id, "label",
             {own: (int(sample.label or 0) + 1) % 3})  # fmt: skip
    from vecaf.inference.predict import _load

    _load.cache_clear()  # as after a restart of the inference process
    after = ask(store, run_id, sample_id=own)
    assert [e["id"] for e in after["toward"]] == [e["id"] for e in before["toward"]]
    assert np.allclose(
        [e["share"] for e in after["toward"]], [e["share"] for e in before["toward"]]
    )


def test_an_invalid_request_is_an_error(store: Store, run_id: int, tmp_path: Path) -> None:
    broken = tmp_path / "x.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"can.*t be read"):
        ask(store, run_id, path=str(broken))
    with pytest.raises(InputError, match="either an image file or an image of"):
        ask(store, run_id)
    with pytest.raises(NotFoundError):
        ask(store, run_id, sample_id=10**9)
    with pytest.raises(NotFoundError):
        predict(InferenceContext(store), store.owner() + 1, run_id=run_id, sample_id=1)
