"""One run's page, assembled from the store, its files and its random baseline."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.config import RunConfig
from vecaf.datasets.snapshot import snapshot_classes
from vecaf.engine.baseline import baseline_config
from vecaf.errors import VecafError
from vecaf.evaluation.compared_runs import compare_groups, random_baselines, runs_to_compare
from vecaf.evaluation.labeled_predictions import LabeledPredictions, load_labeled_predictions
from vecaf.evaluation.run_groups import RunGroup, Verdict, single_group
from vecaf.store import ENDED, FINISHED, Dataset, Run, visible
from vecaf.store.page_queries import curves, log_tail
from vecaf.store.runs import (
    count_selected_per_round,
    later_accuracies,
    rounds_of,
    run_summary,
    selected_in_round,
)
from vecaf.store.samples import samples_by_id

from ..explore.maps import map_state
from ..shell.address import whole
from ..shell.components.chart import series
from ..shell.studio import Studio
from . import baseline_view, forecast_view, label_rest_view, mistakes_view, run_view
from .mistakes_view import Guess

SHOWN = 60  # selected images at first
MOST_SHOWN = 6000
SHARED_SECONDS = 1.5
POINTS = 200  # of a curve: about the width of a chart
MOST_CACHED = 16  # views of runs
CELL_IMAGES, MISTAKES = 120, 16  # images of a cell, mistakes of each kind


@dataclass(frozen=True)
class Pieces:
    """The HTML of each piece of the page, and whether it will not change any more."""

    top: str
    curve: str
    rest: str
    ended: bool


class RunPage:
    """Builds the page of a run.

    Results of finished rounds never change, so it caches them: an open page asks every second.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._tested = lru_cache(maxsize=8)(self._read_tested)
        self._classes = lru_cache(maxsize=64)(self._read_classes)
        self._verdict = lru_cache(maxsize=64)(self._read_verdict)
        self._cache: dict[tuple[object, ...], tuple[Pieces, object, float]] = {}
        self._lock = threading.Lock()

    def shared(
        self, user: int, run_id: int, values: dict[str, str], mark: object, *, fresh: bool
    ) -> tuple[Pieces, object]:
        """Return the pieces and the mark that they were built at.

        All tabs share them for a moment. `fresh`: build them now, because the tab has changed
        something.
        """
        with self.studio.store.read() as session:
            visible(session, user, Run, run_id)  # cached pieces may be older than the authorization
        key = (user, run_id, tuple(sorted(values.items())))
        with self._lock:
            cached = self._cache.get(key)
            recent = cached is not None and time.monotonic() - cached[2] < SHARED_SECONDS
            if cached is None or (cached[1] != mark and (fresh or not recent)):
                if len(self._cache) >= MOST_CACHED:
                    self._cache.clear()
                cached = (self.pieces(user, run_id, values), mark, time.monotonic())
                self._cache[key] = cached
            return cached[0], cached[1]

    def pieces(self, user: int, run_id: int, values: dict[str, str]) -> Pieces:
        """Build the page. Raises NotFoundError for a run that the user may not see."""
        with self.studio.store.read() as session:
            run = visible(session, user, Run, run_id)
            summary = run_summary(session, user, run_id)
            dataset = visible(session, user, Dataset, run.dataset_id)
            classes, own_dataset = dataset.classes, dataset.owner_id == user
            rounds = rounds_of(session, user, run_id)
            counts = count_selected_per_round(session, user, run_id)
            asked = whole(values, "round")
            number = asked if asked in counts else max(counts, default=0)
            limit = min(max(SHOWN, whole(values, "show") or 0), MOST_SHOWN)
            shown = selected_in_round(session, user, run_id, number, limit=limit) if number else []
            own = single_group(runs_to_compare(session, user, [run_id])[1])
            random_runs = random_baselines(session, user, run_id)
            baseline = single_group(random_runs) if random_runs else None
            comparison = baseline_view.comparison(
                own,
                baseline,
                self._verdict(user, _progress(own), _progress(baseline)) if baseline else None,
                self._refusal(session, user, run) if baseline is None else None,
            )
            points = curves(session, user, run_id, POINTS)
            random_curves = curves(session, user, random_runs[0].id, POINTS) if random_runs else {}
            log = log_tail(session, user, run_id)
            later = later_accuracies(session, user, run_id)
            idle = self.studio.idle(session)
            atlas = map_state(session, self.studio.settings, user, dataset.id)
            names = (self._classes(run_id, rounds[-1].number) if rounds else None) or classes
            cell = mistakes_view.read_cell(values.get("cell", ""), len(names))
            found = self._tested(user, run_id, rounds[-1].number) if rounds else None
            images = None if found is None or cell is None else found.cell(*cell)[:CELL_IMAGES]
            in_cell = None if images is None else _guesses(session, user, dataset.id, found, images)
            worst: Sequence[Guess] = ()
            surest: Sequence[Guess] = ()
            if found is not None:
                worst, surest = (
                    _guesses(session, user, dataset.id, found, places)
                    for places in (
                        found.highest_loss_mistakes(MISTAKES),
                        found.most_confident_mistakes(MISTAKES),
                    )
                )
        stage = None
        if atlas.state not in ("none", *ENDED):
            stage = atlas.stage or "waiting in the queue"
        rest = (
            label_rest_view.label_rest(self.studio.store, user, run_id, values)
            if summary.state == FINISHED and own_dataset
            else "",
            forecast_view.forecast(rounds, later),
            comparison,
            baseline_view.round_map(dataset.id, run_id, max(counts, default=0), atlas.ready, stage),
            run_view.selected(
                run_id,
                number,
                counts,
                shown,
                [*names, *classes[len(names) :]],
                ended=summary.state in ENDED,
            ),
            mistakes_view.confusion(run_id, rounds, names, cell, in_cell),
            mistakes_view.mistakes(worst, surest, names),
            run_view.settings(run.config),
            run_view.log(log),
        )
        ended = summary.state in ENDED
        return Pieces(
            run_view.top(
                summary,
                rounds,
                idle=idle,
                dataset_id=dataset.id,
                own=own_dataset,
                selected=bool(counts),
            ),
            series(
                run_id,
                points,
                rounds,
                [entry.curve for entry in random_runs],
                random_curves,
                ended=ended,
            ),
            "".join(rest),
            ended and stage is None and all(entry.state in ENDED for entry in random_runs),
        )

    def _refusal(self, session: Session, user: int, run: Run) -> str | None:
        """Return why the run can't have a random baseline, None if it can."""
        try:
            baseline_config(session, user, RunConfig.from_dict(run.config))
        except VecafError as error:
            return str(error)
        return None

    def _read_classes(self, run_id: int, _number: int) -> tuple[str, ...] | None:
        """Return the classes when the run started: the dataset's may have changed since."""
        return snapshot_classes(self.studio.settings.runs / str(run_id))

    def _read_tested(self, user: int, run_id: int, number: int) -> LabeledPredictions | None:
        with self.studio.store.read() as session:
            run = visible(session, user, Run, run_id)
            return load_labeled_predictions(
                session, run, self.studio.settings.runs / str(run_id), number
            )

    def _read_verdict(
        self, user: int, mine: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
    ) -> Verdict | None:
        """Compare two groups of runs, each given as (run, finished rounds) pairs."""
        with self.studio.store.read() as session:
            groups = []
            for ids in (mine, others):
                _, found = runs_to_compare(session, user, [run_id for run_id, _ in ids])
                groups.append(single_group(found))
            return compare_groups(session, user, self.studio.settings, *groups)


def _progress(group: RunGroup) -> tuple[tuple[int, int], ...]:
    """Return (run, finished rounds) of each run: what a verdict depends on."""
    return tuple((entry.id, len(entry.curve.accuracy)) for entry in group.runs)


def _guesses(
    session: Session,
    user: int,
    dataset_id: int,
    found: LabeledPredictions | None,
    places: NDArray[np.int64],
) -> list[Guess]:
    """Return the images at these places of `found`, in that order, without deleted ones."""
    if found is None:
        return []
    ids = [int(found.ids[place]) for place in places]
    samples = samples_by_id(session, user, dataset_id, ids)
    return [
        Guess(
            samples[id_],
            int(found.labels[place]),
            int(found.predicted[place]),
            float(found.confidence[place]),
            float(found.loss[place]),
        )
        for id_, place in zip(ids, places, strict=True)
        if id_ in samples
    ]
