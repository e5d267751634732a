"""Selecting without training: what would be picked now, from every image that may be selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.runs.plan import Plan
from vecaf.runs.preparation import prepare
from vecaf.runs.recording import Picks, Recorder
from vecaf.selection import STRATEGIES
from vecaf.settings import Settings
from vecaf.training.learner import ModelOutputs


@dataclass(frozen=True)
class Basis:
    """The run whose model says what images still cost, after its last finished round.

    `data`: the samples as that run began with them (`datasets.snapshot.with_snapshot`).
    """

    config: RunConfig
    folder: Path
    rounds: int
    picked: Sequence[int]  # sample ids of all its rounds
    data: Samples


@dataclass(frozen=True)
class Choice:
    """A selection and what it was made from. Arrays run along `plan.pool`, but `taken`."""

    plan: Plan
    strategy: str  # that picked: another one's than asked for, where that needs a model first
    picks: Picks
    taken: Rows  # rows of the samples that were picked or labelled before
    view: ModelOutputs
    seen: Floats  # the features that the strategy compared, pulled by text
    captions: list[str] | None  # what pulled them; None where text had no say
    losses: NDArray[np.float32] | None  # nats: true where bought, else what the model expects
    plain: Picks | None  # the same selection without text and losses, where that differs


def bought(samples: Samples, picked: Sequence[int] = ()) -> Rows:
    """Rows of the pool whose labels are paid for.

    They are the images `picked` (sample ids) before. Where the pool is not labelled as a whole,
    somebody labelled what is, and those images count, too.
    """
    pool = samples.pool
    labeled = samples.labels[pool] >= 0
    before = np.isin(samples.ids[pool], np.asarray(picked, dtype=np.int64))
    return pool[before if labeled.all() else before | labeled]


def choose(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    settings: Settings,
    basis: Basis | None = None,
) -> Choice:
    """Pick `config.budget` images of the pool, as a run's first round would, or, with a `basis`,
    as the next round of that run would; then the run's model, image size and mode count.

    In the label-free track no pool label reaches the selector that is not `bought`. Raises
    InputError as `plan.check_selection` does, CanceledError when the recorder says stop.
    """
    if basis is not None:
        had = basis.config
        config = replace(
            config, model=had.model, vlm=had.vlm, image_size=had.image_size, mode=had.mode
        )
    config = replace(config, target_words="", subset="")
    taken = bought(samples, () if basis is None else basis.picked)
    plan = Plan.over_pool(config, samples, taken)
    folder = settings.runs if basis is None else basis.folder
    begun = None if basis is None else basis.data
    learner, guidance = prepare(config, samples, recorder, folder, settings, begun)
    if basis is not None:
        learner.restore(basis.rounds)
    elif learner.context.continues and config.head_init == "text":
        pretrained = learner.context.pretrained(plan.pool)
        learner.use_text_classifier(guidance.classifier(pretrained, plan.pool))
    recorder.stage("Looking at the pool")
    view = learner.outputs(plan.pool)
    recorder.stage("Weighing captions")
    visible = plan.visible_labels(taken)
    silent = guidance.ignores_captions(plan.pool, visible)
    seen = guidance.pull(view.features, plan.pool, visible)
    recorder.stage("Selecting images")
    number = 1 if basis is None else basis.rounds + 1
    picks = plan.select(view, seen, taken, number)

    plain = None
    strategy = plan.picker(view)
    info = STRATEGIES[strategy].info
    uses_model = view.logits is not None and {*info.required, *info.optional} & {
        "losses",
        "probabilities",
    }
    # A strategy that gives no scores (random) has no reasons that words or losses could change.
    if picks.scores and not info.required and (uses_model or not silent):
        recorder.stage("Selecting once more without text")
        plain = plan.select(ModelOutputs(view.features, None), view.features, taken, number)
    return Choice(
        plan=plan,
        strategy=strategy,
        picks=picks,
        taken=taken,
        view=view,
        seen=seen,
        captions=None if silent else guidance.captions_of(plan.pool, visible),
        losses=plan.evidence(view, taken).get("losses"),
        plain=plain,
    )
