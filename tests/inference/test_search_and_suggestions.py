"""Searches and label suggestions, through the pipe of a real inference process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.inference.conftest import STRANGERS, Asker
from vecaf.config import RunConfig
from vecaf.datasets.edits import edit
from vecaf.datasets.pool import Samples, load_samples
from vecaf.encoders import load_vlm
from vecaf.encoders.dataset_features import pvm_for
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Dataset, Store, User, dataset_named


@pytest.fixture(scope="module")
def samples(store: Store, dataset: Dataset) -> Samples:
    with store.read() as session:
        return load_samples(session, dataset, store.settings.images)


@pytest.fixture(scope="module")
def me(store: Store) -> int:
    return store.owner()


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


def test_suggestions_use_labeled_images(
    keeper: Asker, store: Store, dataset: Dataset, samples: Samples, me: int
) -> None:
    pool = samples.pool
    asked = samples.ids[pool].tolist()
    classes = list(samples.classes)

    def right() -> float:
        answer = keeper.ask(
            "suggest_labels", user=me, dataset_id=dataset.id, sample_ids=asked, classes=classes
        )
        assert len(answer["confidences"]) == len(asked)
        assert all(1 / 3 <= share <= 1 for share in answer["confidences"])
        return float((np.array(answer["labels"]) == samples.labels[pool]).mean())

    informed = right()  # an image is not compared with its own label
    with store.write() as session:
        hidden = {int(id_): None for id_ in samples.ids}
        edit(session, me, dataset.id, "label", hidden)
    alone = right()
    assert informed > 0.8 > alone  # words alone know little of drawn shapes
    with store.write() as session:
        shown = dict(zip(samples.ids.tolist(), samples.labels.tolist(), strict=True))
        edit(session, me, dataset.id, "label", shown)


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
