"""What a run works with: its rows, its budget, and the labels that the selector may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import vecaf
from vecaf.arrays import Floats, Rows, softmax
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import NO_SPLIT, Samples
from vecaf.evaluation.losses import cross_entropy, expected_cross_entropy
from vecaf.runs.recording import Recorder, RoundSelection
from vecaf.runs.run_checks import check_pool, check_selection
from vecaf.selection import FIRST_ROUND, STRATEGIES, LocalSharding
from vecaf.selection.option_checks import parse_options
from vecaf.selection.sharded_rows import Sharding
from vecaf.store import TEST, VAL

if TYPE_CHECKING:
    from vecaf.training.learner import ModelOutputs

MAX_NAMED_CLASSES = 5
SHARDED_ROWS = 1_000_000
"""From this size of the pool, selections use shards: on all engines, so that they are the same."""
ONE_SHARD = LocalSharding()


@dataclass(frozen=True)
class RunPlan:
    """The rows of a run (positions in `samples`) and its budget per round.

    All rows are labeled, except the pool of a plan made by `without_training`. `sharding` stores
    the features of a pool of at least SHARDED_ROWS images during a selection.
    """

    config: RunConfig
    samples: Samples
    pool: Rows
    val: Rows
    test: Rows
    budget: int
    sharding: Sharding = ONE_SHARD

    @classmethod
    def of(cls, config: RunConfig, samples: Samples, sharding: Sharding = ONE_SHARD) -> RunPlan:
        """Plan a run. Raises InputError as `check_pool` if the dataset can't serve it."""
        labeled = samples.labels >= 0
        pool = samples.pool[labeled[samples.pool]]
        counts = np.bincount(samples.labels[pool], minlength=len(samples.classes))
        budget = check_pool(config, samples.classes, counts.tolist(), 0 if config.subset else None)
        test, val = (rows[labeled[rows]] for rows in (samples.rows(TEST), samples.rows(VAL)))
        return cls(config, samples, pool, val, test, budget, sharding)

    @classmethod
    def without_training(
        cls,
        config: RunConfig,
        samples: Samples,
        excluded: Rows,
        sharding: Sharding = ONE_SHARD,
    ) -> RunPlan:
        """Plan a selection from the whole pool, labeled or not, without training.

        `excluded` are rows of the pool that can't be selected. Raises InputError as
        `check_selection`.
        """
        pool, no_rows = samples.pool, np.empty(0, dtype=np.int64)
        labeled = int((samples.labels[pool] >= 0).sum())
        budget = check_selection(config, len(pool), labeled, len(excluded))
        return cls(config, samples, pool, no_rows, no_rows, budget, sharding)

    def pool_positions(self, rows: Rows) -> Rows:
        """Return the positions of `rows` within `pool`."""
        return np.searchsorted(self.pool, rows)

    def visible_labels(self, selected: Rows) -> Rows:
        """Return the labels of the pool (n,), with −1 for labels that the selector may not see.

        The label-free track hides every label except those of `selected` rows.
        """
        labels = self.samples.labels[self.pool]
        if self.config.track == LABELS_KNOWN:
            return labels
        visible = np.full_like(labels, -1)
        positions = self.pool_positions(selected)
        visible[positions] = labels[positions]
        return visible

    def effective_strategy(self, outputs: ModelOutputs) -> str:
        """Return the strategy that selects.

        It is FIRST_ROUND if the configured one needs a finetuned model and there is none yet.
        """
        needs_model = STRATEGIES[self.config.strategy].info.needs_model
        return FIRST_ROUND if needs_model and outputs.logits is None else self.config.strategy

    def select(
        self, outputs: ModelOutputs, features: Floats, selected: Rows, number: int
    ) -> RoundSelection:
        """Select the images of round `number` from the pool.

        Parameters
        ----------
        outputs
            Predictions of the current model for the pool.
        features
            (n, d), what the strategy compares.
        selected
            Rows that earlier rounds selected.
        """
        inputs = self.strategy_inputs(outputs, selected)
        strategy = self.effective_strategy(outputs)
        info = STRATEGIES[strategy].info
        accepted = {*info.required, *info.optional}
        configured = strategy == self.config.strategy  # the options belong to that strategy
        classes = {"classes": len(self.samples.classes)} if self.samples.classes else {}
        arguments = {
            "features": features,
            "budget": self.budget,
            "strategy": strategy,
            "selected": self.pool_positions(selected),
            "keys": self.samples.digests[self.pool],
            "seed": self.config.seed * 1000 + number,
            "sharding": self.sharding if len(features) >= SHARDED_ROWS else None,
            **(classes if "classes" in info.options else {}),
            **(parse_options(self.config.strategy_options) if configured else {}),
            **{name: value for name, value in inputs.items() if name in accepted},
        }
        selection = vecaf.select(**arguments)
        ids = self.samples.ids[self.pool[selection.ids]]
        return RoundSelection(ids, selection.scores, selection.strategy)

    def prediction_rows(self, number: int) -> Rows:
        """Return the rows to predict after round `number`.

        The last round predicts all images. Earlier rounds predict all if that is cheap (head-only
        mode), or else only validation and test images.
        """
        if number == self.config.rounds or self.config.mode == "head-only":
            return self.samples.usable
        return np.union1d(self.val, self.test)

    def selected(self, recorder: Recorder, upto: int) -> Rows:
        """Return the rows that rounds 1 to `upto` selected, without images that became unusable."""
        rounds = [recorder.selection(number) for number in range(1, upto + 1)]
        ids: list[NDArray[np.int64]] = [one.sample_ids for one in rounds if one is not None]
        rows = np.searchsorted(self.samples.ids, np.concatenate([np.empty(0, np.int64), *ids]))
        usable: Rows = rows[self.samples.splits[rows] != NO_SPLIT]
        return usable

    def training_rows(self, recorder: Recorder, number: int) -> Rows:
        """Return the rows that round `number` trains on.

        These are all selected rows so far, or with training_images="replace" those of this round.
        """
        selected = self.selected(recorder, upto=number)
        if self.config.training_images == "keep":
            return selected
        return selected[len(self.selected(recorder, upto=number - 1)) :]

    def strategy_inputs(self, outputs: ModelOutputs, selected: Rows) -> Mapping[str, Any]:
        """Compute what a strategy can use besides features: labels, losses, and probabilities.

        A per-sample loss is exact if the label is visible; otherwise it is the expected loss under
        the model's own prediction. In the labels-known track without a model, all losses are those
        of uniform predictions.
        """
        labels = self.visible_labels(selected)
        if outputs.logits is None:
            if self.config.track != LABELS_KNOWN:
                return {"labels": labels}
            uniform = np.zeros((len(labels), len(self.samples.classes)), dtype=np.float32)
            return {"labels": labels, "losses": cross_entropy(uniform, labels)}
        losses = expected_cross_entropy(outputs.logits)
        known = (labels >= 0) & (labels < outputs.logits.shape[1])  # classes can be newer than it
        losses[known] = cross_entropy(outputs.logits[known], labels[known])
        return {
            "labels": labels,
            "losses": losses,
            "probabilities": softmax(outputs.logits),
        }


def describe_missing_classes(config: RunConfig, samples: Samples, selected: Rows) -> str:
    """Name the classes that the training has no image of, as the end of a sentence.

    Looks at the `selected` rows, or at the whole pool if the head starts from the class means of
    the pool. Returns "" if every class has an image.
    """
    uses_pool = config.track == LABELS_KNOWN and config.head_init == "means"
    where, rows = ("in the pool", samples.pool) if uses_pool else ("yet", selected)
    names, labels = samples.classes, samples.labels[rows]
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    missing = [f"'{name}'" for name, count in zip(names, counts, strict=True) if not count]
    if not missing:
        return ""
    if len(missing) > MAX_NAMED_CLASSES:
        return f"; {len(missing):,} of {len(names):,} classes have no image {where}"
    return f"; no image of {' or '.join(missing)} {where}"
