"""Select images without training, explain the selection, and save it as a subset.

Files in the folder of the task:

    explanation.json    the fields of `SelectionExplanation`; `picks.json` of earlier versions
    covers.npy          int32 (n,), for each sample in id order: the rank of the selected image
                        that represents it, −1 for none
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

from vecaf.arrays import Rows
from vecaf.errors import InputError
from vecaf.files import write_bytes
from vecaf.runs.recording import MemoryRecorder
from vecaf.store import Run, SelectedSample, Store, visible
from vecaf.store.runs import rounds_of
from vecaf.tasks.array_files import save_array
from vecaf.tasks.task import TASKS, TaskContext
from vecaf.tasks.unreadable import without_unreadable

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.runs.selection_only import BaseRun, SelectionResult

EXPLANATION, COVERS = "explanation.json", "covers.npy"
OLD_EXPLANATION = "picks.json"  # its field `earlier` is called `taken`
MAX_MEMBERS = 6


@dataclass(frozen=True)
class SelectionExplanation:
    """Why each image was selected. Lists have one entry per selected image, in rank order.

    A selected image represents the images that are closer to it than to other selected images.

    Attributes
    ----------
    ids
        Sample ids.
    scores
        Scores of the strategy by name; None if a score is not finite.
    covers
        Number of images that it represents, itself included.
    members
        Ids of up to six of these images, the most similar first.
    typical
        Share of the pool that lies in less dense regions, 0 to 1.
    turned
        Angle in degrees by which the caption moved its features; None if captions had no effect.
    captions
        The caption that moved it, and its source: caption, label, or look (the closest class name).
    losses
        Per-sample loss in nats under the model of the run. Without a run, in the labels-known
        track, under the classifier that a new run starts from. None if there is no model.
    displaced
        Id of the image that would be selected in its place, or None.
    because
        Why that one: "plain" if the same selection without captions and losses selects it,
        "runner-up" if it is the second best among the images represented.
    earlier
        Ids of images that were labeled or selected before.
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
    earlier: list[int]


@dataclass
class TaskRecorder(MemoryRecorder):
    """Reports the stages of a selection as stages of a task, and stops when the task does."""

    cancel_check: Callable[[], bool] = lambda: False

    def should_stop(self) -> bool:
        return self.cancel_check()


@TASKS.register
def selection(
    context: TaskContext,
    *,
    strategy: str,
    budget: str,
    seed: int,
    caption_weight: float,
    track: str,
    revision: int,
    run: int | None = None,
    model: str = "efficientnet_lite0",
    vlm: str = "embedded",
    image_size: int = 0,
) -> dict[str, Any]:
    """Select images and explain the selection.

    `revision` is that of the dataset: after a change of labels, the same settings are a new task.
    The other parameters are settings of `RunConfig`, and the number of a run whose model scores
    the images.

    Returns
    -------
    The strategy that selected, the number of selected images, and the size of the pool.
    """
    from vecaf.config import RunConfig
    from vecaf.runs.plan import ONE_SHARD
    from vecaf.runs.selection_only import select_images

    config = RunConfig(
        strategy=strategy,
        budget=budget,
        seed=seed,
        caption_weight=caption_weight,
        track=track,
        model=model,
        vlm=vlm,
        image_size=image_size,
    ).checked()
    every = context.samples()
    recorder = TaskRecorder(on_stage=context.stage, cancel_check=context.should_stop)

    def work(lost: Rows) -> dict[str, Any]:
        samples, base_run = every.without(lost) if len(lost) else every, None
        if run is not None:
            base_run = load_base_run(
                context.store, context.user_id, context.dataset_id, samples, run
            )
        found = select_images(
            config, samples, recorder, context.store.settings, base_run,
            context.sharding or ONE_SHARD, compare=True,
        )  # fmt: skip
        return _save(context, found)

    return without_unreadable(every, work)


def _save(context: TaskContext, result: SelectionResult) -> dict[str, Any]:
    """Explain a selection, write the files of the task, and return its result."""
    samples = result.plan.samples
    context.stage("Explaining the selection")
    explanation, covers = explain(result)
    save_array(context.folder / COVERS, covers)
    content = json.dumps(asdict(explanation), allow_nan=False)
    write_bytes(context.folder / EXPLANATION, content.encode())
    return {
        "strategy": result.strategy,
        "selected": len(explanation.ids),
        "pool": len(result.plan.pool),
        "earlier": len(result.excluded),
        "unlabeled": int((samples.labels[np.isin(samples.ids, explanation.ids)] < 0).sum()),
        "text": explanation.captions is not None,
    }


def read_explanation(folder: Path) -> SelectionExplanation | None:
    """Read the result from the folder of a finished task; None if there is none."""
    for name in (EXPLANATION, OLD_EXPLANATION):
        try:
            content = json.loads((folder / name).read_bytes())
        except FileNotFoundError:
            continue
        if "taken" in content:
            content["earlier"] = content.pop("taken")
        return SelectionExplanation(**content)
    return None


def load_base_run(
    store: Store, user_id: int, dataset_id: int, samples: Samples, run_id: int
) -> BaseRun:
    """Load the run whose model scores the images.

    Raises
    ------
    NotFoundError
        The run does not exist.
    InputError
        It uses another dataset, or has no finished round.
    """
    from vecaf.config import RunConfig
    from vecaf.datasets.snapshot import with_snapshot
    from vecaf.runs.selection_only import BaseRun

    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        rounds = rounds_of(session, user_id, run_id)
        if run.dataset_id != dataset_id:
            raise InputError(f"Run {run_id} uses another dataset. Choose a run on this dataset.")
        if not rounds:
            raise InputError(
                f"Run {run_id} has no finished round yet. Wait for it, or choose another run."
            )
        last = rounds[-1].number
        selected_ids = session.scalars(
            sa.select(SelectedSample.sample_id)
            .where(SelectedSample.run_id == run_id, SelectedSample.round <= last)
            .order_by(SelectedSample.round, SelectedSample.rank)
        ).all()
    folder = store.settings.runs / str(run_id)
    config = RunConfig.from_dict(run.config)
    return BaseRun(config, folder, last, selected_ids, with_snapshot(samples, folder))


def explain(result: SelectionResult) -> tuple[SelectionExplanation, NDArray[np.int32]]:
    """Explain a selection; also return which selected image represents each sample, (n,)."""
    from vecaf.selection import explain as reasons

    plan, ids = result.plan, result.plan.samples.ids
    pool_ids = ids[plan.pool]

    def pool_positions(sample_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(pool_ids, sample_ids)

    selected = pool_positions(result.selected.sample_ids)
    excluded = plan.pool_positions(result.excluded)
    rows = reasons.comparing_space(result.features)
    cover = reasons.covering(rows, selected, excluded)
    members = cover.members(MAX_MEMBERS + 1)
    available = np.ones(len(rows), dtype=bool)
    available[excluded] = False
    runners_up = reasons.runners_up(rows, selected, cover, available)
    displaced = np.full(len(selected), -1, dtype=np.int64)
    if result.without_text is not None:
        displaced = reasons.displaced(
            rows, selected, pool_positions(result.without_text.sample_ids)
        )
    alternative = np.where(displaced >= 0, displaced, runners_up)
    covers = np.full(len(ids), -1, dtype=np.int32)
    covers[plan.pool] = cover.owner
    explanation = SelectionExplanation(
        ids=result.selected.sample_ids.tolist(),
        scores={
            name: [float(value) if np.isfinite(value) else None for value in values]
            for name, values in result.selected.scores.items()
        },
        covers=cover.counts(len(selected)).tolist(),
        members=[
            [int(pool_ids[row]) for row in members.get(rank, []) if row != position][:MAX_MEMBERS]
            for rank, position in enumerate(selected)
        ],
        typical=[float(share) for share in reasons.typicality(rows, selected)],
        turned=None
        if result.captions is None
        else reasons.turned(result.outputs.features[selected], result.features[selected]).tolist(),
        captions=None if result.captions is None else _captions(result, selected),
        losses=None if result.losses is None else result.losses[selected].tolist(),
        displaced=[int(pool_ids[row]) if row >= 0 else None for row in alternative],
        because=["plain" if row >= 0 else "runner-up" for row in displaced],
        earlier=ids[result.excluded].tolist(),
    )
    return explanation, covers


def _captions(result: SelectionResult, selected: NDArray[np.int64]) -> list[tuple[str, str]]:
    """Return the caption and its source for each selected position of the pool."""
    assert result.captions is not None
    samples, visible_labels = result.plan.samples, result.plan.visible_labels(result.excluded)
    captions = []
    for position in selected:
        own = samples.captions[result.plan.pool[position]]
        source = "caption" if own else "label" if visible_labels[position] >= 0 else "look"
        captions.append((result.captions[position], source))
    return captions
