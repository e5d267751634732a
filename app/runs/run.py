"""One run's page, put together from the store, its files and what it is measured by."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.explore.maps import map_state
from app.runs import mistakes_view, run_view, versus_view
from app.runs.mistakes_view import Guess
from app.shell.address import whole
from app.shell.components.chart import series
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.datasets.snapshot import classes_as_begun
from vecaf.engine.baseline import baseline_config
from vecaf.errors import VecafError
from vecaf.evaluation.mistakes import Tested, tested
from vecaf.evaluation.run_groups import (
    Group,
    Verdict,
    baselines,
    entries,
    group_of,
    verdict,
)
from vecaf.store import ENDED, Dataset, Run, visible
from vecaf.store.page_queries import curves, log_tail, samples_by_id
from vecaf.store.runs import picks_of, rounds_of, rounds_picked, run_summary

PICKS = 60  # thumbnails shown at first, and added by "more"
MOST_PICKS = 6000
SHARED_SECONDS = 1.5
POINTS = 200  # of a curve: a chart is as wide
MOST_KEPT = 16  # views of runs
CELL, MISTAKES = 120, 16  # images of a cell, mistakes of each kind


@dataclass(frozen=True)
class Pieces:
    """The HTML of each piece of the page and whether the run has ended."""

    top: str
    curve: str
    rest: str
    ended: bool


class RunPage:
    """Keeps what finished rounds came to, which never changes: a page that is looked at again
    every second reads it once."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._tested = lru_cache(maxsize=8)(self._read_tested)
        self._begun = lru_cache(maxsize=64)(self._read_begun)
        self._judged = lru_cache(maxsize=64)(self._judge)
        self._kept: dict[tuple[object, ...], tuple[Pieces, object, float]] = {}
        self._lock = threading.Lock()

    def shared(
        self, user: int, run_id: int, values: dict[str, str], mark: object, *, fresh: bool
    ) -> tuple[Pieces, object]:
        """The pieces, put together now and then however many tabs ask for them, and the
        mark they were made at. `fresh`: as they are now, for a tab that has just changed something.
        """
        with self.studio.store.read() as session:
            visible(session, user, Run, run_id)  # what is kept may be a moment older than a share
        key = (user, run_id, tuple(sorted(values.items())))
        with self._lock:
            kept = self._kept.get(key)
            young = kept is not None and time.monotonic() - kept[2] < SHARED_SECONDS
            if kept is None or (kept[1] != mark and (fresh or not young)):
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                kept = (self.pieces(user, run_id, values), mark, time.monotonic())
                self._kept[key] = kept
            return kept[0], kept[1]

    def pieces(self, user: int, run_id: int, values: dict[str, str]) -> Pieces:
        """Raises NotFoundError for a run that is not the user's."""
        with self.studio.store.read() as session:
            run = visible(session, user, Run, run_id)
            summary = run_summary(session, user, run_id)
            dataset = visible(session, user, Dataset, run.dataset_id)
            classes, own_dataset = dataset.classes, dataset.owner_id == user
            rounds = rounds_of(session, user, run_id)
            picked = rounds_picked(session, user, run_id)
            number = whole(values, "round")
            chosen = number if number in picked else max(picked, default=0)
            limit = min(max(PICKS, whole(values, "show") or 0), MOST_PICKS)
            shown = picks_of(session, user, run_id, chosen, limit=limit) if chosen else []
            own = group_of(entries(session, user, [run_id])[1])
            measure = baselines(session, user, run_id)
            beside = group_of(measure) if measure else None
            compared = versus_view.versus(
                own,
                beside,
                self._judged(user, _told(own), _told(beside)) if beside else None,
                self._refusal(session, user, run) if beside is None else None,
            )
            points = curves(session, user, run_id, POINTS)
            twin = curves(session, user, measure[0].id, POINTS) if measure else {}
            log = log_tail(session, user, run_id)
            idle = self.studio.idle(session)
            atlas = map_state(session, self.studio.settings, user, dataset.id)
            names = (self._begun(run_id, rounds[-1].number) if rounds else None) or classes
            cell = mistakes_view.read_cell(values.get("cell", ""), len(names))
            found = self._tested(user, run_id, rounds[-1].number) if rounds else None
            images = None if found is None or cell is None else found.cell(*cell)[:CELL]
            in_cell = None if images is None else _guesses(session, user, dataset.id, found, images)
            worst: Sequence[Guess] = ()
            surest: Sequence[Guess] = ()
            if found is not None:
                worst, surest = (
                    _guesses(session, user, dataset.id, found, places)
                    for places in (found.worst(MISTAKES), found.surest_mistakes(MISTAKES))
                )
        making = None
        if atlas.state not in ("none", *ENDED):
            making = atlas.stage or "waiting for its turn"
        rest = (
            compared,
            versus_view.round_map(dataset.id, run_id, max(picked, default=0), atlas.ready, making),
            run_view.picks(run_id, chosen, picked, shown, classes),
            mistakes_view.confusion(rounds, names, cell, in_cell),
            mistakes_view.mistakes(worst, surest, names),
            run_view.settings(run.config),
            run_view.log(log),
        )
        return Pieces(
            run_view.top(summary, rounds, idle=idle, dataset_id=dataset.id, own=own_dataset),
            series(
                run_id,
                points,
                rounds,
                [entry.line for entry in measure],
                twin,
                ended=summary.state in ENDED,
            ),
            "".join(rest),
            summary.state in ENDED and making is None and all(e.state in ENDED for e in measure),
        )

    def _refusal(self, session: Session, user: int, run: Run) -> str | None:
        """Why the run can have no random baseline; None where it can."""
        try:
            baseline_config(session, user, RunConfig.from_dict(run.config))
        except VecafError as error:
            return str(error)
        return None

    def _read_begun(self, run_id: int, _number: int) -> tuple[str, ...] | None:
        """The classes that rounds count by: the dataset's may have changed since."""
        return classes_as_begun(self.studio.settings.runs / str(run_id))

    def _read_tested(self, user: int, run_id: int, number: int) -> Tested | None:
        with self.studio.store.read() as session:
            run = visible(session, user, Run, run_id)
            return tested(session, run, self.studio.settings.runs / str(run_id), number)

    def _judge(
        self, user: int, mine: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
    ) -> Verdict | None:
        """The verdict on runs that have finished so many rounds: [(run, rounds), …] each."""
        with self.studio.store.read() as session:
            groups = []
            for ids in (mine, others):
                _, found = entries(session, user, [run_id for run_id, _ in ids])
                groups.append(group_of(found))
            return verdict(session, user, self.studio.settings, *groups)


def _told(group: Group) -> tuple[tuple[int, int], ...]:
    return tuple((entry.id, len(entry.line.accuracy)) for entry in group.runs)


def _guesses(
    session: Session, user: int, dataset_id: int, found: Tested | None, places: NDArray[np.int64]
) -> list[Guess]:
    """The images at these places of `found`, in that order; a deleted one is left out."""
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
