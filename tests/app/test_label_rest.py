"""The card "Auto-label the rest" of a run's page: what it offers, and what its buttons do."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from app.runs.label_rest_view import apply, label_rest, undo_labels
from tests.runs.test_label_rest import labels_of, store
from vecaf.errors import NotFoundError
from vecaf.store import QUEUED, TEST, TRAIN, Edit, Run, Sample, Store

__all__ = ["store"]
CHOICE = {"error": "10", "confidence": "80"}


def test_card_labels_images_and_offers_to_undo(store: Store) -> None:
    owner = store.owner()
    before = label_rest(store, owner, 1, CHOICE)
    assert (
        'data-act="label-rest"' in before and "at most 10% wrong labels (80% confidence)" in before
    )
    apply(store, owner, 1, CHOICE)
    assert any(label is not None for label in labels_of(store).values())
    after = label_rest(store, owner, 1, CHOICE)
    assert "The model labeled" in after and "yourself</a>" in after
    with store.read() as session:
        edit_id = session.scalar(sa.select(Edit.id).where(Edit.run_id == 1))
    undo_labels(store, owner, 1, {"edit": str(edit_id)})
    assert set(labels_of(store).values()) == {None}


def test_only_edits_of_this_run_are_undone_here(store: Store) -> None:
    with store.read() as session:
        by_hand = session.scalar(sa.select(Edit.id).where(Edit.run_id.is_(None)))
    with pytest.raises(NotFoundError):
        undo_labels(store, store.owner(), 1, {"edit": str(by_hand)})


def test_unknown_choices_fall_back_to_the_lowest_error_rate_that_works(store: Store) -> None:
    card = label_rest(store, store.owner(), 1, CHOICE | {"error": "77"})
    shown = int(re.search(r"at most (\d+)% wrong labels \(80% confidence\)", card)[1])  # type: ignore[index]
    works = {
        share: "The model can label"
        in label_rest(store, store.owner(), 1, CHOICE | {"error": str(share)})
        for share in (2, 5, 10)
    }
    assert works[shown] and not any(works[share] for share in works if share < shown)
    assert "(90% confidence)" in label_rest(store, store.owner(), 1, {"confidence": "x"})


def test_a_refusal_offers_an_error_rate_that_works(store: Store) -> None:
    card = label_rest(store, store.owner(), 1, {"error": "1", "confidence": "80"})
    assert "can&#39;t guarantee at most 1% wrong labels (80% confidence). The guarantee" in card
    assert "Set maximum error rate to" in card


def test_test_images_are_labeled_from_here_if_the_dataset_has_enough(store: Store) -> None:
    strict = {"error": "1", "confidence": "80"}
    assert "Label test images" not in label_rest(store, store.owner(), 1, strict)
    with store.write() as session:  # without a test sample: all test images can be labeled
        session.execute(sa.update(Sample).where(Sample.split == TEST).values(label=None))
        few = sa.select(Sample.id).where(Sample.split == TRAIN).order_by(Sample.id).offset(12)
        session.execute(sa.update(Sample).where(Sample.id.in_(few)).values(split=TEST))
    card = label_rest(store, store.owner(), 1, strict)
    assert "Label about" in card and "Label test images</a>" in card


def test_no_card_before_the_run_has_finished(store: Store) -> None:
    with store.write() as session:
        session.get_one(Run, 1).state = QUEUED
    assert label_rest(store, store.owner(), 1, {}) == ""
