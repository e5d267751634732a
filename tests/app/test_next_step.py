"""For a dataset without labels, every page offers the next step, up to the launch."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import fields
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.data.cards import Cards
from app.data.dataset import detail
from app.data.page import listing
from app.finetune import page as finetune
from app.finetune.opening import opening
from app.label import page as label
from app.shell.studio import Studio
from app.shell.templates import macros
from tests.app.conftest import picture
from tests.app.test_finetune import run_on
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.edits import add_class, edit
from vecaf.store import (
    EVALUATION,
    FINISHED,
    RUNNING,
    SELECTION,
    TEST,
    Dataset,
    Run,
    Sample,
    Task,
)
from vecaf.store.background import EMBED
from vecaf.store.next_step import READY, newest_runs
from vecaf.store.subsets import add_subset
from vecaf.store.workflow import pool_counts, workflow


@pytest.fixture
def bare(studio: Studio, tmp_path: Path, request: pytest.FixtureRequest) -> int:
    """A new dataset of twelve images without labels."""
    name = request.node.name[:60]
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as out:
        for i in range(12):
            out.writestr(f"{i}.png", picture((20 * i, len(name), sum(map(ord, name)) % 256)))
    user = studio.store.owner()
    return import_dataset(studio.store, tmp_path / "bare.zip", name, user_id=user).dataset_id


def images(studio: Studio, dataset_id: int, split: str) -> list[int]:
    with studio.store.read() as session:
        found = session.query(Sample).filter_by(dataset_id=dataset_id, split=split)
        return [sample.id for sample in found.order_by(Sample.id)]


def save(studio: Studio, dataset_id: int, kind: str, ids: Sequence[int]) -> int:
    with studio.store.write() as session:
        user = studio.store.owner()
        facts = {"strategy": "vecaf", "seed": 0}
        return add_subset(session, user, dataset_id, f"a {kind}", kind, ids, facts=facts).id


def give_labels(studio: Studio, dataset_id: int, ids: Sequence[int]) -> None:
    user = studio.store.owner()
    with studio.store.write() as session:
        for name in ("cat", "dog"):
            if name not in session.get_one(Dataset, dataset_id).classes:
                add_class(session, user, dataset_id, name)
        edit(session, user, dataset_id, "label", {id_: i % 2 for i, id_ in enumerate(ids)})


def main_buttons(studio: Studio, cards: Cards, dataset_id: int) -> set[str]:
    """Return the main buttons of the dataset: in the list and on its page."""
    user = studio.store.owner()
    card = next(card for card in cards.all(user) if card.id == dataset_id)
    pages = (listing([card], False), detail(studio, cards, user, dataset_id, {})[0])
    found = [page.partition('class="button primary" href="')[2] for page in pages]
    return {unescape(rest.partition("</a>")[0]) for rest in found}


def summary(studio: Studio, dataset_id: int, **address: str) -> tuple[str, str, Any, Any]:
    """Return the summary of the Finetune page when it opens with the dataset."""
    user = studio.store.owner()
    values, _ = opening(studio, user, {"dataset": str(dataset_id), **address}, None)
    return finetune._summary(studio, user, [*values, True])


def test_exploring_is_ready_with_the_embeddings_and_never_done(studio: Studio, bare: int) -> None:
    def shown() -> str:
        with studio.store.read() as session:
            dataset = session.get_one(Dataset, bare)
            found = workflow(session, studio.store.owner(), dataset, pool_counts(session, dataset))
        return str(macros("shell", "workflow.html").bar(found))

    with studio.store.write() as session:
        session.query(Task).filter_by(dataset_id=bare).delete()
        session.add(Task(owner_id=studio.store.owner(), dataset_id=bare, kind=EMBED, params={},
                         state=RUNNING))  # fmt: skip
    assert 'Explore<span class="unseen">: not started' in shown()
    with studio.store.write() as session:
        session.query(Task).filter_by(dataset_id=bare).update({"state": FINISHED})
    assert 'Explore<span class="unseen">: ready' in shown() and shown().count("✓") == 1


def test_the_main_button_is_the_next_step(studio: Studio, bare: int) -> None:
    cards = Cards(studio)
    assert main_buttons(studio, cards, bare) == {f'/select?dataset={bare}">Select images'}
    pool = images(studio, bare, "train")[:4]
    subset = save(studio, bare, SELECTION, pool)
    waiting = f'/label?dataset={bare}&subset={subset}">Label images'
    assert main_buttons(studio, cards, bare) == {waiting}
    give_labels(studio, bare, images(studio, bare, TEST))  # no selector sees them
    assert main_buttons(studio, cards, bare) == {waiting}
    give_labels(studio, bare, pool)
    ready = f'/finetune?dataset={bare}&subset=a+selection">Finetune model'
    assert main_buttons(studio, cards, bare) == {ready}


def test_finetune_leads_to_what_lacks_a_label(studio: Studio, bare: int) -> None:
    card, short, _, launch = summary(studio, bare)
    assert "folder for each class" in card and "Select images and label them" in card
    for html in (card, short):
        assert f'class="button primary" href="/select?dataset={bare}"' in html
    assert f'href="/label?dataset={bare}"' in card
    assert not launch.interactive

    pool = images(studio, bare, "train")[:4]
    subset = save(studio, bare, SELECTION, pool)
    for html in summary(studio, bare)[:2]:
        address = f"/label?dataset={bare}&amp;subset={subset}"
        assert f'class="button primary" href="{address}"' in html

    give_labels(studio, bare, pool)
    card, short, _, launch = summary(studio, bare)
    assert "4 from 'a selection'" in card  # there are no other labels
    assert short.startswith("<p><b>4 labels · about") and launch.interactive


def test_a_labeled_task_leads_on(studio: Studio, bare: int) -> None:
    user, tests = studio.store.owner(), images(studio, bare, TEST)
    sample = save(studio, bare, EVALUATION, tests)
    give_labels(studio, bare, tests)

    def page(**values: int) -> str:
        return unescape(label._render(studio, user, {k: str(v) for k, v in values.items()}))

    done = page(subset=sample)
    assert f"All {len(tests)} images labeled" in done
    assert f'class="button primary" href="/select?dataset={bare}"' in done
    pool = images(studio, bare, "train")[:4]
    subset = save(studio, bare, SELECTION, pool)
    waiting = f'class="button primary" href="/label?dataset={bare}&subset={subset}"'
    assert waiting in page(subset=sample)
    give_labels(studio, bare, pool)
    launch = f'data-act="launch" data-subset="{subset}">Launch run'
    settings = f'href="/finetune?dataset={bare}&subset=a+selection"'
    for task in (sample, subset):
        done = page(subset=task)
        assert launch in done and settings in done
        assert done.index("data-labeler") < done.index("label-done")  # below the images
    assert settings in page(dataset=bare)


def test_a_selection_without_test_labels_offers_a_test_sample(studio: Studio, bare: int) -> None:
    pool = images(studio, bare, "train")[:4]
    subset = save(studio, bare, SELECTION, pool)
    give_labels(studio, bare, pool)
    done = label._render(studio, studio.store.owner(), {"subset": str(subset)})
    count = len(images(studio, bare, TEST))
    assert "accuracy can't be measured" in done
    assert f'data-act="test-sample" data-dataset="{bare}"' in done and f'value="{count}"' in done


def test_a_pool_with_other_labels_is_left_to_the_strategy(studio: Studio, bare: int) -> None:
    pool = images(studio, bare, "train")
    save(studio, bare, SELECTION, pool[:2])
    give_labels(studio, bare, pool)
    values, _ = opening(studio, studio.store.owner(), {"dataset": str(bare)}, None)
    shown = dict(zip((item.name for item in fields(RunConfig)), values, strict=True))
    assert shown["subset"] == ""
    card = next(card for card in Cards(studio).all(studio.store.owner()) if card.id == bare)
    assert card.next == READY


def test_a_model_to_use_is_no_baseline_and_of_no_target_domain(studio: Studio, bare: int) -> None:
    runs = [
        run_on(studio, bare, **settings)
        for settings in (
            {"strategy": "random"}, {}, {"target_words": "in fog"}, {"strategy": "random"}
        )
    ]  # fmt: skip
    with studio.store.read() as session:
        assert [one.id for one in newest_runs(session, bare)] == [runs[1]]
    with studio.store.write() as session:
        session.delete(session.get_one(Run, runs[1]))
    with studio.store.read() as session:
        assert [one.id for one in newest_runs(session, bare)] == [runs[3]]
