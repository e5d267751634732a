"""Searches and label suggestions, through the pipe of a real inference process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from tests.inference.conftest import STRANGERS, Asker
from vecaf.config import RunConfig
from vecaf.datasets.edits import edit
from vecaf.datasets.pool import Samples, load_samples
from vecaf.encoders import load_vlm
from vecaf.encoders.dataset_features import pvm_for
from vecaf.errors import InputError, NotFoundError
from vecaf.store import EVALUATION, SELECTION, Dataset, Store, User, dataset_named
from vecaf.store.subsets import add_subset, delete_subset


@pytest.fixture(scope="module")
def samples(store: Store, dataset: Dataset) -> Samples:
    with store.read() as session:
        return load_samples(session, dataset, store.settings.images)


@pytest.fixture(scope="module")
def me(store: Store) -> int:
    return store.owner()


@pytest.mark.soak
def test_a_text_search_ranks_as_the_vlm_does(
    keeper: Asker, store: Store, dataset: Dataset, samples: Samples, me: int
) -> None:
    text = "a striped pattern"
    answer = keeper.ask("search_text", user=me, dataset_id=dataset.id, text=f"  {text}\n")
    size = pvm_for(RunConfig(), samples).preprocessing.image_size
    vlm = load_vlm("embedded", image_size=size, cache=store.settings.embeddings)
    images = vlm.embed_images(samples.keys, samples.path_of, settings=store.settings)
    scores = images @ vlm.embed_texts([text])[0]
    order = np.argsort(-scores, kind="stable")
    assert sorted(answer["ids"]) == samples.ids.tolist()
    assert_allclose(answer["scores"], scores[order], atol=2e-4)
    assert answer["ids"][0] == samples.ids[order[0]]
    again = keeper.ask("search_text", user=me, dataset_id=dataset.id, text=text)
    assert again == answer


def test_an_image_search_finds_the_image_and_similar_ones(
    keeper: Asker, dataset: Dataset, samples: Samples, me: int
) -> None:
    row = 31
    by_id = keeper.ask(
        "search_image", user=me, dataset_id=dataset.id, sample_id=int(samples.ids[row])
    )
    by_file = keeper.ask(
        "search_image", user=me, dataset_id=dataset.id, path=str(samples.paths[row])
    )
    assert by_id["ids"][0] == by_file["ids"][0] == samples.ids[row]
    assert_allclose(by_id["scores"], by_file["scores"], atol=2e-3)
    rows = np.searchsorted(samples.ids, by_id["ids"][1:6])
    assert (samples.labels[rows] == samples.labels[row]).mean() >= 0.6


def test_suggestions_learn_from_labels_and_forget_undone_ones(
    keeper: Asker, store: Store, dataset: Dataset, samples: Samples, me: int
) -> None:
    pool = samples.pool
    some, rest = pool[::2], pool[1::2]
    classes = list(samples.classes)

    def ask() -> dict[str, Any]:
        return keeper.ask(
            "suggest_labels", user=me, dataset_id=dataset.id,
            sample_ids=samples.ids[rest].tolist(), classes=classes,
        )  # fmt: skip

    def right(answer: dict[str, Any]) -> float:
        ids, labels, confidences = map(np.array, zip(*answer["suggestions"], strict=True))
        assert_array_equal(ids, samples.ids[rest])
        assert all(1 / 3 <= share <= 1 for share in confidences)
        return float((labels == samples.labels[rest]).mean())

    def label(rows: NDArray[np.int64], labels: list[int | None]) -> None:
        with store.write() as session:
            values = dict(zip(samples.ids[rows].tolist(), labels, strict=True))
            edit(session, me, dataset.id, "label", values)

    label(pool, [None] * len(pool))
    before = ask()
    label(some, samples.labels[some].tolist())
    after = ask()
    assert right(after) > 0.8 > right(before)  # words alone know little of drawn shapes
    assert (before["learned"], after["learned"]) == (0, len(some))
    test = samples.rows("test")
    assert after["accuracy"]["total"] == len(test)
    assert after["accuracy"]["low"] <= after["accuracy"]["value"] <= after["accuracy"]["high"]
    assert after["accuracy"]["value"] > before["accuracy"]["value"]
    all_labels = keeper.ask("suggest_all_labels", user=me, dataset_id=dataset.id, classes=classes)[
        "labels"
    ]
    assert len(all_labels) == len(samples)
    assert_array_equal(np.array(all_labels)[some], samples.labels[some])
    label(some, [None] * len(some))
    undone = ask()
    assert [one[:2] for one in undone["suggestions"]] == [one[:2] for one in before["suggestions"]]
    label(pool, samples.labels[pool].tolist())


def test_the_queue_begins_with_images_that_the_model_is_unsure_of(
    keeper: Asker, store: Store, dataset: Dataset, samples: Samples, me: int
) -> None:
    pool, test = samples.ids[samples.pool], samples.ids[samples.rows("test")]
    with store.write() as session:
        edit(session, me, dataset.id, "label", {int(id_): None for id_ in pool[20:]})
        chosen = add_subset(session, me, dataset.id, "queue", SELECTION, pool[:60].tolist()).id
        tests = add_subset(session, me, dataset.id, "tests", EVALUATION, test[:9].tolist()).id

    def ask(subset_id: int) -> dict[str, Any]:
        return keeper.ask(
            "suggest_labels", user=me, dataset_id=dataset.id, sample_ids=[],
            classes=list(samples.classes), subset_id=subset_id,
        )  # fmt: skip

    answer = ask(chosen)
    assert sorted(answer["order"]) == pool[20:60].tolist()
    shares = {one[0]: one[2] for one in answer["suggestions"]}
    confidence = [shares[id_] for id_ in answer["order"]]
    assert np.mean(confidence[:10]) < np.mean(confidence[-10:])
    assert ask(tests)["order"] == []  # a test sample keeps its random order
    with store.write() as session:
        for subset_id in (chosen, tests):
            delete_subset(session, me, subset_id)
        values = dict(zip(samples.ids.tolist(), samples.labels.tolist(), strict=True))
        edit(session, me, dataset.id, "label", values)


def test_other_users_datasets_are_not_found(
    keeper: Asker, store: Store, dataset: Dataset, samples: Samples, me: int
) -> None:
    with store.read() as session:
        stranger = session.query(User).filter(User.name == "stranger").one().id
        theirs = dataset_named(session, stranger, STRANGERS)
        their_samples = load_samples(session, theirs, store.settings.images)
    one = int(samples.ids[0])
    two = ["a", "b"]
    for user, dataset_id in ((me, theirs.id), (stranger, dataset.id)):
        for name, arguments in (
            ("search_text", {"text": "a disc"}),
            ("search_image", {"sample_id": one}),
            ("suggest_labels", {"sample_ids": [one], "classes": two}),
        ):
            with pytest.raises(NotFoundError, match="There is no dataset"):
                keeper.ask(name, user=user, dataset_id=dataset_id, **arguments)
    for name, arguments in (
        ("search_image", {"sample_id": int(their_samples.ids[0])}),
        ("suggest_labels", {"sample_ids": [one, int(their_samples.ids[0])], "classes": two}),
    ):
        with pytest.raises(NotFoundError, match="has no image"):
            keeper.ask(name, user=me, dataset_id=dataset.id, **arguments)


def test_an_invalid_request_is_an_error(
    keeper: Asker, dataset: Dataset, samples: Samples, me: int, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    one = int(samples.ids[0])
    for name, arguments, words in (
        ("search_text", {"text": " \n"}, "Enter a text"),
        ("search_text", {"text": "x" * 501}, "at most 500"),
        ("search_image", {}, "an image file or"),
        ("search_image", {"path": str(broken)}, "can.*t be read"),
        ("suggest_labels", {"sample_ids": [one], "classes": ["a"]}, "two classes"),
        ("search_text", {}, "Invalid arguments"),
        ("search_texts", {"text": "a"}, "did you mean search_text"),
    ):
        with pytest.raises(InputError, match=words):
            keeper.ask(name, user=me, dataset_id=dataset.id, **arguments)


def test_the_same_request_gets_the_same_order(keeper: Asker, dataset: Dataset, me: int) -> None:
    first, second = (
        keeper.ask("search_text", user=me, dataset_id=dataset.id, text="a zebra") for _ in range(2)
    )
    assert_array_equal(first["ids"], second["ids"])
