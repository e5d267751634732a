"""Select images without training: from the pretrained model, or from the model of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.runs.plan import ONE_SHARD, RunPlan
from vecaf.runs.preparation import prepare
from vecaf.runs.recording import Recorder, RoundSelection
from vecaf.selection import STRATEGIES
from vecaf.selection.sharded_rows import Sharding
from vecaf.settings import Settings
from vecaf.training.learner import ModelOutputs


@dataclass(frozen=True)
class BaseRun:
    """A run whose model scores the images, as it was after its last finished round.

    Attributes
    ----------
    rounds
        Number of finished rounds.
    selected_ids
        Ids of the samples that these rounds selected.
    samples
        The samples with the labels and captions that the run started with.
    """

    config: RunConfig
    folder: Path
    rounds: int
    selected_ids: Sequence[int]
    samples: Samples


@dataclass(frozen=True)
class SelectionResult:
    """Selected images, with what explains the selection. n is the size of `plan.pool`.

    Attributes
    ----------
    strategy
        The strategy that selected. It differs from the configured one if that needs a finetuned
        model and there is none, or if it handed over to another one, as vecaf can.
    excluded
        Rows of the samples that were labeled or selected before, and so could not be selected.
    features
        (n, d), as the strategy compared them: moved toward captions.
    captions
        (n,), the captions that moved the features; None if captions had no effect.
    losses
        (n,), per-sample loss in nats, expected where the label is hidden; None without a model.
    without_text
        The same selection without captions and losses; None if it was not wanted or would not
        differ.
    """

    plan: RunPlan
    strategy: str
    selected: RoundSelection
    excluded: Rows
    outputs: ModelOutputs
    features: Floats
    captions: list[str] | None
    losses: NDArray[np.float32] | None
    without_text: RoundSelection | None


def labeled_or_selected(samples: Samples, selected_ids: Sequence[int] = ()) -> Rows:
    """Return the rows of the pool that a label budget has been spent on.

    These are the images with `selected_ids`. If only a part of the pool is labeled, somebody has
    labeled that part, so it counts too.
    """
    pool = samples.pool
    labeled = samples.labels[pool] >= 0
    selected = np.isin(samples.ids[pool], np.asarray(selected_ids, dtype=np.int64))
    return pool[selected if labeled.all() else selected | labeled]


def select_images(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    settings: Settings,
    base_run: BaseRun | None = None,
    sharding: Sharding = ONE_SHARD,
    *,
    compare: bool = False,
) -> SelectionResult:
    """Select `config.budget` images, as the first round of a run would.

    In the label-free track the selector sees only labels of `labeled_or_selected` rows.

    Parameters
    ----------
    base_run
        Select as the next round of this run would. Its model, image size, and finetuning mode
        replace those of `config`.
    sharding
        As in `RunPlan`.
    compare
        Also select without captions and losses, for `SelectionResult.without_text`.

    Raises
    ------
    InputError
        As `plan.check_selection`.
    CanceledError
        The recorder asked to stop.
    """
    if base_run is not None:
        base = base_run.config
        config = replace(
            config, model=base.model, vlm=base.vlm, image_size=base.image_size, mode=base.mode
        )
    config = replace(config, target_words="", adapt_to="", subset="")
    excluded = labeled_or_selected(samples, () if base_run is None else base_run.selected_ids)
    plan = RunPlan.without_training(config, samples, excluded, sharding)
    folder = settings.runs if base_run is None else base_run.folder
    trained_samples = None if base_run is None else base_run.samples
    learner, guidance = prepare(config, samples, recorder, folder, settings, trained_samples)
    if base_run is not None:
        learner.restore(base_run.rounds)
    elif learner.context.continues and learner.context.config.head_init == "text":
        pretrained = learner.context.pretrained(plan.pool)
        learner.use_text_classifier(guidance.classifier(pretrained, plan.pool))
    recorder.stage("Computing features and predictions")
    outputs = learner.outputs(plan.pool)
    recorder.stage("Applying captions")
    visible = plan.visible_labels(excluded)
    captions_unused = guidance.ignores_captions(plan.pool, visible)
    features = guidance.pull(outputs.features, plan.pool, visible)
    recorder.stage("Selecting images")
    number = 1 if base_run is None else base_run.rounds + 1
    selected = plan.select(outputs, features, excluded, number)

    without_text = None
    info = STRATEGIES[plan.effective_strategy(outputs)].info
    uses_model = outputs.logits is not None and {*info.required, *info.optional} & {
        "losses",
        "probabilities",
    }
    # A strategy without scores (random) depends on neither captions nor losses.
    if compare and selected.scores and not info.required and (uses_model or not captions_unused):
        recorder.stage("Selecting again without captions, for comparison")
        without_text = plan.select(
            ModelOutputs(outputs.features, None), outputs.features, excluded, number
        )
    return SelectionResult(
        plan=plan,
        strategy=selected.strategy,
        selected=selected,
        excluded=excluded,
        outputs=outputs,
        features=features,
        captions=None if captions_unused else guidance.captions_of(plan.pool, visible),
        losses=plan.strategy_inputs(outputs, excluded).get("losses"),
        without_text=without_text,
    )
