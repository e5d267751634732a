"""The loop of selecting, labeling and finetuning an unlabeled upload, twice."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.shapes import CLASSES
from tests.tasks import test_select_images
from tests.tasks.test_select_images import command_line, do, id_of, select
from vecaf.config import RunConfig
from vecaf.datasets.edits import add_class, edit
from vecaf.errors import InputError
from vecaf.store import TRAIN, Dataset, Run, Sample, Store, Task
from vecaf.store.random_subsets import draw_random_selection, draw_test_sample
from vecaf.store.runs import rounds_of
from vecaf.store.subsets import subset_samples, subsets_of
from vecaf.tasks.save_selection import save_selection

store = test_select_images.store  # fixture


def test_an_unlabeled_upload_goes_through_the_loop_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Select → label → run → select with that run's model → label → run on both."""
    me, bare = store.owner(), id_of(store, "bare")
    _, explained, result = select(store, "bare")
    assert result["unlabeled"] == 8 and result["earlier"] == 0
    assert not result["text"] and explained.captions is None  # there are no class names yet

    assert command_line(monkeypatch, store, "bare") == explained.ids
    first = signed_off(store, "first picks")
    label(store, first)
    with store.write() as session:
        sample = draw_test_sample(session, me, bare, 10)
        sample_id = sample.id
    label(store, sample_id)
    run_id = do(store, RunConfig(dataset="bare", subset="first picks", rounds=1, epochs=15))
    with store.read() as session:
        done = rounds_of(session, me, run_id)[-1]
        assert done.labeled == 8
        assert sum(map(sum, done.confusion or [])) == 10
        revision = session.get_one(Dataset, bare).revision

    _, again, result = select(store, "bare", run=run_id, revision=revision)
    assert result["earlier"] == 8 and set(again.earlier) == set(explained.ids)
    assert not set(again.ids) & set(explained.ids)
    assert command_line(monkeypatch, store, "bare", "--after", str(run_id)) == again.ids
    assert again.losses is not None and all(loss >= 0 for loss in again.losses)
    assert again.captions is not None and {source for _, source in again.captions} == {"look"}

    second = signed_off(store, "second picks")
    with store.read() as session:
        summary = next(s for s in subsets_of(session, me, bare) if s.id == second)
        assert (summary.images, summary.labeled) == (16, 8)
        assert summary.facts["run"] == run_id and summary.facts["earlier"] == 8
    label(store, second)
    run_id = do(store, RunConfig(dataset="bare", subset="second picks", rounds=1, epochs=15))
    with store.read() as session:
        last = rounds_of(session, me, run_id)[-1]
        assert last.labeled == 16
        assert (last.test_accuracy or 0) > 0.5  # three classes: chance is a third
        baseline_of = session.get_one(Run, run_id)
        assert baseline_of.name == "bare · second picks"
    with store.write() as session:
        drawn = draw_random_selection(session, me, second, seed=1)
        rows = subset_samples(session, me, drawn.id)
        assert len(rows) == 16 and drawn.facts["strategy"] == "random"
        assert {sample.split for _, sample in rows} == {TRAIN}


def signed_off(store: Store, name: str) -> int:
    with store.write() as session:
        newest = session.scalars(sa.select(Task).order_by(Task.id.desc()).limit(1)).one()
        settings, me = store.settings, store.owner()
        subset = save_selection(session, settings, me, newest.id, name, earlier=True)
        with pytest.raises(InputError, match="already"):
            save_selection(session, settings, me, newest.id, name, earlier=True)
        return subset.id


def label(store: Store, subset_id: int) -> None:
    """Label every image of the subset with the class in its file name."""
    me, bare = store.owner(), id_of(store, "bare")
    with store.write() as session:
        for name in CLASSES:
            add_class(session, me, bare, name)
        rows = [sample for _, sample in subset_samples(session, me, subset_id)]
        values = {row.id: kind(row) for row in rows}
        edit(session, me, bare, "label", values)


def kind(sample: Sample) -> int:
    return ["di", "sq", "st"].index(sample.file_name.rsplit("/", 1)[-1][:2])
