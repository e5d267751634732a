"""A selection to look at before anything is trained, and why each of its images is there.

`picks.json` in the task's folder holds what `Explained` holds; `covers.npy` int32 (n,), one entry a
sample in id order: the pick (by rank) that stands for it, −1 for none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.files import replacing, write_bytes
from vecaf.runs.recording import MemoryRecorder
from vecaf.settings import Settings
from vecaf.store import FINISHED, Run, SelectedSample, Store, Subset, Task, visible
from vecaf.store.models import SELECTION
from vecaf.store.runs import rounds_of
from vecaf.store.subsets import add_subset
from vecaf.tasks.task import TASKS, Work

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.runs.select_now import Basis, Choice

PICKS, COVERS = "picks.json", "covers.npy"
SHOWN_MEMBERS = 6  # of the images that a pick stands for


@dataclass(frozen=True)
class Explained:
    """A selection with its reasons; every list has one entry a pick, in rank order.

    ids        samples' ids
    scores     the strategy's own score parts by name, each a list; None for no finite number
    covers     how many images it stands for (the pick nearest to them), itself included
    members    ids of up to six of those images, the most similar first
    typical    share of the pool in less dense surroundings, 0 to 1
    turned     degrees by which text turned its features; None where text had no say
    captions   the sentence that turned it, and where that came from: caption, label or look
    losses     nats that it still costs the run's model, or without a run, where labels are known,
               the classifier that the classes' names give; None where there is neither
    displaced  id of the image that would stand here instead, or None
    because    "plain": the displaced image is one that the same selection without text and losses
               picks instead; "runner-up": it is the second choice among those the pick stands for
    taken      ids of images that were labelled or picked before
    """

    ids: list[int]
    scores: dict[str, list[float | None]]
    covers: list[int]
    members: list[list[int]]
    typical: list[float]
    turned: list[float] | None
    captions: list[tuple[str, str]] | None
    losses: list[float] | None
    displaced: list[int | None]
    because: list[str]
    taken: list[int]


@dataclass
class TaskRecorder(MemoryRecorder):
    """Shows a selection's stages as a task's, and hears the task's cancel."""

    asked: Callable[[], bool] = lambda: False

    def should_stop(self) -> bool:
        return self.asked()


@TASKS.register
def selection(
    work: Work,
    *,
    strategy: str,
    budget: str,
    seed: int,
    text_pull: float,
    track: str,
    revision: int,
    run: int | None = None,
    model: str = "efficientnet_lite0",
    vlm: str = "embedded",
    image_size: int = 0,
) -> dict[str, Any]:
    """Select and explain; the result says how many, out of what. `revision` is the dataset's: the
    same settings on changed labels are another task."""
    from vecaf.config import RunConfig
    from vecaf.runs.select_now import choose

    config = RunConfig(
        strategy=strategy,
        budget=budget,
        seed=seed,
        text_pull=text_pull,
        track=track,
        model=model,
        vlm=vlm,
        image_size=image_size,
    ).checked()
    samples = work.samples()
    basis = None
    if run is not None:
        basis = basis_of(work.store, work.user_id, work.dataset_id, samples, run)
    recorder = TaskRecorder(on_stage=work.stage, asked=work.should_stop)
    choice = choose(config, samples, recorder, work.store.settings, basis)
    work.stage("Finding the reasons")
    explained, covers = explain(choice)
    with replacing(work.folder / COVERS) as temporary, temporary.open("wb") as file:
        np.save(file, covers)
    write_bytes(work.folder / PICKS, json.dumps(asdict(explained), allow_nan=False).encode())
    return {
        "strategy": choice.strategy,
        "picks": len(explained.ids),
        "pool": len(choice.plan.pool),
        "taken": len(choice.taken),
        "unlabeled": int((samples.labels[np.isin(samples.ids, explained.ids)] < 0).sum()),
        "text": explained.captions is not None,
    }


def read_picks(folder: Path) -> Explained | None:
    """What a finished selection left in its folder; None where there is nothing (yet)."""
    try:
        kept = json.loads((folder / PICKS).read_bytes())
    except FileNotFoundError:
        return None
    return Explained(**kept)


def basis_of(store: Store, user_id: int, dataset_id: int, samples: Samples, run_id: int) -> Basis:
    """The run to go on from. Raises NotFoundError, InputError where it has no finished round."""
    from vecaf.config import RunConfig
    from vecaf.datasets.snapshot import with_snapshot
    from vecaf.runs.select_now import Basis

    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        rounds = rounds_of(session, user_id, run_id)
        if run.dataset_id != dataset_id:
            raise InputError(f"Run {run_id} is on another dataset; choose one on this.")
        if not rounds:
            raise InputError(f"Run {run_id} has no finished round yet; wait, or choose another.")
        last = rounds[-1].number
        picked = session.scalars(
            sa.select(SelectedSample.sample_id)
            .where(SelectedSample.run_id == run_id, SelectedSample.round <= last)
            .order_by(SelectedSample.round, SelectedSample.rank)
        ).all()
    folder = store.settings.runs / str(run_id)
    config = RunConfig.from_dict(run.config)
    return Basis(config, folder, last, picked, with_snapshot(samples, folder))


def explain(choice: Choice) -> tuple[Explained, NDArray[np.int32]]:
    """A choice's reasons, and which pick stands for each sample (see the module)."""
    from vecaf.selection import explain as why

    plan, ids = choice.plan, choice.plan.samples.ids
    pool_ids = ids[plan.pool]

    def places(sample_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(pool_ids, sample_ids)

    picks, taken = places(choice.picks.sample_ids), plan.places(choice.taken)
    rows = why.comparing_space(choice.seen)
    cover = why.covering(rows, picks, taken)
    members = cover.members(SHOWN_MEMBERS + 1)
    free = np.ones(len(rows), dtype=bool)
    free[taken] = False
    second = why.runners_up(rows, picks, cover, free)
    lost = np.full(len(picks), -1, dtype=np.int64)
    if choice.plain is not None:
        lost = why.displaced(rows, picks, places(choice.plain.sample_ids))
    instead = np.where(lost >= 0, lost, second)
    covers = np.full(len(ids), -1, dtype=np.int32)
    covers[plan.pool] = cover.owner
    explained = Explained(
        ids=choice.picks.sample_ids.tolist(),
        scores={
            name: [float(value) if np.isfinite(value) else None for value in values]
            for name, values in choice.picks.scores.items()
        },
        covers=cover.counts(len(picks)).tolist(),
        members=[
            [int(pool_ids[row]) for row in members.get(index, []) if row != pick][:SHOWN_MEMBERS]
            for index, pick in enumerate(picks)
        ],
        typical=[float(share) for share in why.typicality(rows, picks)],
        turned=None
        if choice.captions is None
        else why.turned(choice.view.features[picks], choice.seen[picks]).tolist(),
        captions=None if choice.captions is None else _captions(choice, picks),
        losses=None if choice.losses is None else choice.losses[picks].tolist(),
        displaced=[int(pool_ids[row]) if row >= 0 else None for row in instead],
        because=["plain" if row >= 0 else "runner-up" for row in lost],
        taken=ids[choice.taken].tolist(),
    )
    return explained, covers


def _captions(choice: Choice, picks: NDArray[np.int64]) -> list[tuple[str, str]]:
    assert choice.captions is not None
    samples, visible = choice.plan.samples, choice.plan.visible_labels(choice.taken)
    found = []
    for place in picks:
        own = samples.captions[choice.plan.pool[place]]
        source = "caption" if own else "label" if visible[place] >= 0 else "look"
        found.append((choice.captions[place], source))
    return found


def sign_off(
    session: Session, settings: Settings, user_id: int, task_id: int, name: str, *, earlier: bool
) -> Subset:
    """Save a finished selection under a name: a run can train on it, once it is labelled.

    With `earlier` the images that were labelled or picked before follow the picks, so that a run
    trains on all that was bought. Raises NotFoundError, and InputError for a selection that is not
    ready or a name that is blank or taken.
    """
    task = visible(session, user_id, Task, task_id)
    explained = read_picks(settings.tasks / str(task_id)) if task.state == FINISHED else None
    if task.kind != selection.__name__ or explained is None:
        raise InputError("This selection is not ready yet.")
    before = explained.taken if earlier else []
    blank = [float("nan")] * len(before)
    parts: dict[str, list[float | None]] = dict(explained.scores)
    parts["covers"] = [float(count) for count in explained.covers]
    scores = {
        part: [float("nan") if value is None else value for value in values] + blank
        for part, values in parts.items()
    }
    facts = {**task.params, "task": task_id, "picked": len(explained.ids), "earlier": len(before)}
    return add_subset(
        session,
        user_id,
        task.dataset_id,
        name,
        SELECTION,
        [*explained.ids, *before],
        scores=scores,
        facts=facts,
    )
