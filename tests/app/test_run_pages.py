"""The pages of a run and of a comparison, built from rows and files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from app.compare import page as compare
from app.compare import view as compare_view
from app.finetune import summary as finetune_summary
from app.finetune import view as finetune_view
from app.runs.baseline_view import comparison
from app.runs.comparison_text import saving_text
from app.runs.page import _act, _list, _run
from app.runs.run import RunPage
from app.shell.studio import Studio
from vecaf.arrays import Floats, Labels
from vecaf.config import RunConfig
from vecaf.errors import NotFoundError
from vecaf.evaluation import metrics
from vecaf.evaluation.compared_runs import runs_to_compare
from vecaf.evaluation.comparison import IMAGES, Difference
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.evaluation.run_groups import Saving, Verdict, single_group
from vecaf.store import TEST, Dataset, Round, Run, Sample, SelectedSample, Task, User, dataset_named
from vecaf.store.page_queries import run_version
from vecaf.store.tasks import latest_task


@pytest.fixture(scope="module")
def user(studio: Studio) -> int:
    """Return the owner, who has a finished run (1) of one round that predicts one dog as a cat."""
    owner = studio.store.owner()
    with studio.store.write() as session:
        dataset = dataset_named(session, owner, "pets")
        rows = session.query(Sample).filter_by(dataset_id=dataset.id).order_by(Sample.id).all()
        for place, row in enumerate(rows):
            row.split = TEST if place % 2 else "train"
        session.flush()
        config = RunConfig(dataset="pets", budget="2", rounds=1).as_dict()
        run = Run(owner_id=owner, dataset_id=dataset.id, name="r", seed=0, config=config,
                  state="finished")  # fmt: skip
        session.add(run)
        session.flush()
        session.add(Round(run_id=run.id, number=1, labeled=2, batches=4, val_accuracy=None,
                          test_accuracy=5 / 6, confusion={"test": [[3, 0], [1, 2]]},
                          seconds=2.0))  # fmt: skip
        session.add(SelectedSample(run_id=run.id, round=1, rank=0, sample_id=rows[0].id, scores={}))
        ids = np.array([row.id for row in rows])
        labels = np.array([row.label for row in rows])
        assert run.id == 1
    predicted = labels.astype(np.int16)
    predicted[np.flatnonzero(labels == 1)[1]] = 0
    ones = np.ones(len(ids), dtype=np.float32)
    save_predictions(studio.settings.runs / "1", 1, Predictions(ids, predicted, ones, ones))
    return owner


def test_a_runs_page_shows_its_mistake_and_offers_a_baseline(studio: Studio, user: int) -> None:
    pieces = RunPage(studio).pieces(user, 1, {"cell": "1-0"})
    assert pieces.ended
    assert "/finetune?clone=1" in pieces.top
    assert "Launch random baseline" in pieces.rest
    assert "Compute map" in pieces.rest
    assert pieces.rest.count('class="mistake"') == 3  # in its cell, and in both lists of mistakes
    assert "dog predicted as cat" in pieces.rest
    without = RunPage(studio).pieces(user, 1, {"cell": "9-9"})
    assert 'id="cell"' not in without.rest


def test_pages_show_every_registered_metric(
    studio: Studio, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics.METRICS, "_entries", dict(metrics.METRICS._entries))

    @metrics.metric(label="toy score", description="A test.", format="number")
    def toy(logits: Floats, labels: Labels) -> float:
        return 0.125

    measured = {"accuracy": 5 / 6, "toy": toy(np.zeros((1, 2), np.float32), np.zeros(1, np.int64))}
    with studio.store.write() as session:
        session.get_one(Round, (1, 1)).metrics = {"val": {}, "test": measured}
    top = RunPage(studio).pieces(user, 1, {}).top
    assert "Test toy score" in top and "0.125" in top
    assert top.index("Test accuracy") < top.index("83.3%")
    assert "Test calibration error" in top and "not measured" in top  # by an earlier version
    listing = _list(studio, user, {}).top
    assert "toy score 0.125" in listing and "83.3%" in listing
    compared, _ = compare._pieces(studio, user, {"runs": "1"})
    assert "Final toy score" in compared["rest"] and "0.125" in compared["rest"]
    with studio.store.write() as session:
        session.get_one(Round, (1, 1)).metrics = {}


def test_nobody_elses_run_is_shown(studio: Studio, user: int) -> None:
    with studio.store.read() as session:
        stranger = session.query(User).filter_by(name="stranger").one().id
    with pytest.raises(NotFoundError):
        RunPage(studio).pieces(stranger, 1, {})
    with pytest.raises(NotFoundError):
        _act(studio, stranger, {"run": "1", "act": "baseline"})
    pieces, ended = compare._pieces(studio, stranger, {"runs": "1"})
    assert ended and "There is no run 1" in pieces["top"]


def test_a_run_with_a_setting_of_another_version_is_a_sentence(studio: Studio, user: int) -> None:
    with studio.store.write() as session:
        run = session.get_one(Run, 1)
        kept, run.config = run.config, {**run.config, "dropout": 0.5}
    pieces, _ = _run(RunPage(studio), user, 1, {}, None, fresh=True)
    assert "Unknown setting &#39;dropout&#39;" in pieces.top and pieces.ended
    with studio.store.write() as session:
        session.get_one(Run, 1).config = kept


def test_the_mark_changes_with_what_the_page_shows(studio: Studio, user: int) -> None:
    def mark() -> tuple[object, ...]:
        with studio.store.read() as session:
            return run_version(session, user, 1)

    first = mark()
    assert mark() == first
    _act(studio, user, {"run": "1", "act": "map"})
    second = mark()
    assert second != first
    with studio.store.read() as session:
        task = latest_task(session, user, 1, "map")
        assert task is not None and task.params == {}
    assert "Computing the map" in RunPage(studio).pieces(user, 1, {}).rest
    _act(studio, user, {"run": "1", "act": "baseline"})
    assert mark() != second
    assert "Random baseline, run 2" in RunPage(studio).pieces(user, 1, {}).rest


def test_tabs_share_pieces_built_a_moment_ago(studio: Studio, user: int) -> None:
    page = RunPage(studio)
    first, mark = page.shared(user, 1, {}, "one", fresh=False)
    assert mark == "one"
    assert page.shared(user, 1, {}, "two", fresh=False) == (first, "one")  # made just now
    assert page.shared(user, 1, {"round": "1"}, "two", fresh=False)[1] == "two"  # another view
    again, mark = page.shared(user, 1, {}, "two", fresh=True)
    assert again is not first and mark == "two"
    assert page.shared(user, 1, {}, "two", fresh=True)[0] is again


def test_a_comparison_shows_accuracies_and_costs(studio: Studio, user: int) -> None:
    with studio.store.write() as session:
        random = RunConfig(dataset="pets", budget="2", rounds=1, strategy="random")
        run = Run(owner_id=user, dataset_id=1, name="r", seed=0, config=random.as_dict(),
                  state="finished")  # fmt: skip
        session.add(run)
        session.flush()
        session.add(Round(run_id=run.id, number=1, labeled=2, batches=4, val_accuracy=None,
                          test_accuracy=0.5, confusion={"test": []}, seconds=2.0))  # fmt: skip
        runs = f"1,{run.id}"
    pieces, ended = compare._pieces(studio, user, {"runs": runs})
    assert ended
    assert (
        "reaches 83.3% test accuracy and random reaches 50.0%, with 2 labeled images"
        in pieces["top"]
    )
    assert 'value="50.0"' in pieces["rest"]  # the final accuracy of the baseline is the target
    assert '"target": 0.5' in pieces["curve"]
    aimed, _ = compare._pieces(studio, user, {"runs": runs, "target": "90"})
    assert aimed["rest"].count("not reached") == 4


@pytest.mark.parametrize(
    ("found", "words"),
    [(Saving(0.67, True), "67% fewer"), (Saving(0.67, False), "67% fewer (may be due to chance)"),
     (Saving(-0.5, True), "50% more"), (Saving(-0.5, False), "50% more (may be due to chance)"),
     (Saving(0.004, False), "the same"), (None, "")],
)  # fmt: skip
def test_a_saving_is_claimed_only_where_it_holds(found: Saving | None, words: str) -> None:
    assert saving_text(found) == words


def test_a_saving_within_chance_has_its_caveat_on_both_pages(studio: Studio, user: int) -> None:
    with studio.store.write() as session:
        slow = RunConfig(dataset="pets", budget="2", rounds=1, strategy="random", seed=0, lr=0.5)
        run = Run(owner_id=user, dataset_id=1, name="s", seed=0, config=slow.as_dict(),
                  state="finished")  # fmt: skip
        session.add(run)
        session.flush()
        for number, accuracy in ((1, 0.5), (2, 5 / 6)):
            session.add(Round(run_id=run.id, number=number, labeled=2 * number, batches=4 * number,
                              val_accuracy=None, test_accuracy=accuracy, confusion={"test": []},
                              seconds=2.0))  # fmt: skip
        own, beside = (
            single_group(runs_to_compare(session, user, [id_])[1]) for id_ in (1, run.id)
        )
        runs = f"1,{run.id}"
    pieces, _ = compare._pieces(studio, user, {"runs": runs})
    assert pieces["rest"].count("50% fewer (may be due to chance)") == 2  # labels, batches
    sure = Verdict(2, 5 / 6, 0.5, Difference(1 / 3, 0.1, 0.5, 6, IMAGES))
    unsure = Verdict(2, 5 / 6, 0.5, Difference(1 / 3, -0.1, 0.7, 6, IMAGES))
    for found, caveats in ((sure, 0), (unsure, 2), (None, 2)):
        page = comparison(own, beside, found, None)
        assert page.count("50% fewer") == 2 and page.count("(may be due to chance)") == caveats


def test_a_preview_uses_a_measurement_else_a_similar_run(studio: Studio, user: int) -> None:
    config = RunConfig(dataset="pets", budget="2", rounds=1)

    def see(**changes: Any) -> tuple[finetune_summary.Preview, str]:
        wanted = RunConfig.from_dict({**config.as_dict(), **changes})
        with studio.store.read() as session:
            dataset, sizes = finetune_summary.sizes_of(session, user, wanted)
            assert isinstance(dataset, Dataset)
            found = finetune_summary.preview(session, user, dataset, wanted, sizes)
            return found, finetune_view.html("summary", wanted, sizes, found, "")

    found, html = see()
    assert found.similar_run == 1 and "Time is estimated from run 1" in html
    assert found.cost.seconds == pytest.approx(20 * 2.0 / 4)  # 20 batches at half a second
    assert "Measure time and memory" in html
    found, html = see(mode="full")
    assert found.cost.seconds is None and "not measured yet" in html
    with studio.store.write() as session:
        params = finetune_summary.measurement_params(config)
        speed = {"head_step": 0.01, "full_step": 0.0, "images_per_second": 10.0,
                 "select_per_thousand": 0.0, "memory_bytes": 10**9, "feature_dim": 8}  # fmt: skip
        session.add(Task(owner_id=user, dataset_id=1, kind="cost", params=params,
                         state="finished", result=speed))  # fmt: skip
    found, html = see()
    assert "measured with this model on this device" in html
    assert "1.0 GB" in html


def test_a_run_keeps_the_classes_that_it_began_with(studio: Studio, user: int) -> None:
    """The dataset has lost a class and renamed one since. Images without scores are shown."""
    folder = studio.settings.runs / "7"
    with studio.store.write() as session:
        config = RunConfig(dataset="pets", budget="2", rounds=1).as_dict()
        rows = session.query(Sample).filter_by(dataset_id=1).order_by(Sample.id).all()
        session.add(Run(id=7, owner_id=user, dataset_id=1, name="r", seed=0, config=config,
                        state="finished"))  # fmt: skip
        session.flush()
        matrix = [[3, 0, 0], [0, 2, 1], [0, 0, 0]]
        session.add(Round(run_id=7, number=1, labeled=2, batches=4, val_accuracy=None,
                          test_accuracy=5 / 6, confusion={"test": matrix},
                          seconds=2.0))  # fmt: skip
        scores: Any = {"distance": None, "gain": 0.25}
        dog = next(row.id for row in rows if row.label == 1)
        for rank, id_ in enumerate((rows[0].id, dog)):
            session.add(SelectedSample(run_id=7, round=1, rank=rank, sample_id=id_, scores=scores))
        ids, labels = [row.id for row in rows], [row.label for row in rows]
    begun = {"classes": ["cat", "hound", "bird"], "labels": labels, "captions": [], "excluded": []}
    folder.mkdir(parents=True)
    (folder / "data.json").write_text(json.dumps(begun))
    predicted = np.array(labels, dtype=np.int16)
    predicted[np.flatnonzero(predicted == 1)[1]] = 2
    ones = np.ones(len(ids), dtype=np.float32)
    save_predictions(folder, 1, Predictions(np.array(ids), predicted, ones, ones))
    rest = RunPage(studio).pieces(user, 7, {"cell": "1-2"}).rest
    assert rest.count("hound predicted as bird") >= 3  # matrix, sentence, images
    assert "predicted as dog" not in rest
    selected = rest.split('data-key="selected')[1].split("</section>")[0]
    assert "hound" in selected and "dog" not in selected
    assert "coverage gain: 0.25" in rest
    assert "distance to the nearest selected image" not in rest


def test_a_compared_run_without_a_setting_is_named_by_words(studio: Studio, user: int) -> None:
    with studio.store.write() as session:
        runs = []
        for settings in ({}, {"target_words": "in fog", "rounds": 4}):
            config = RunConfig.from_dict(
                {"dataset": "pets", "budget": "2", "rounds": 1, **settings}
            )
            run = Run(owner_id=user, dataset_id=1, name="t", seed=0, config=config.as_dict(),
                      state="finished")  # fmt: skip
            session.add(run)
            session.flush()
            runs.append(run.id)
        found = [single_group(runs_to_compare(session, user, [id_])[1]) for id_ in runs]
    assert compare_view.names(found) == [
        "vecaf (rounds 1, no target domain)", "vecaf (rounds 4, target domain in fog)"
    ]  # fmt: skip
