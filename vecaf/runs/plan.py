"""What a run may use: its rows, its budget, and which labels the selector is allowed to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import vecaf
from vecaf.arrays import Floats, Rows
from vecaf.budget import parse_budget
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import NO_SPLIT, Samples
from vecaf.errors import InputError, NotLabeledError
from vecaf.evaluation import metrics
from vecaf.runs.recording import Picks, Recorder
from vecaf.selection import FIRST_ROUND, STRATEGIES
from vecaf.selection.option_checks import parse_options
from vecaf.selection.strategies import check_options
from vecaf.store import TEST, VAL
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.reporter import Reporter

if TYPE_CHECKING:
    from vecaf.training.learner import ModelOutputs


NAMED = 5  # classes that a sentence names before it counts
WORTH_SPLITTING = 200  # rows of the pool a process: below, telling the others takes longer


def check_pool(
    config: RunConfig, classes: Sequence[str], counts: Sequence[int], given: int | None = None
) -> int:
    """The budget of a round as a count, if a pool of so many labelled images a class can serve it.

    `given`: how many images the first round has without selecting, where the run has a subset.
    Raises InputError for a pool without two labelled classes, a budget that it can't serve in
    every round, a strategy that the track rules out, or an option that it does not have.
    """
    present = [name for name, count in zip(classes, counts, strict=True) if count]
    if not present:
        raise NotLabeledError(
            "This dataset has no labeled images to train on. Select images and label them, or "
            "import the dataset with a folder for each class or a metadata.csv with labels."
        )
    if len(present) < 2:
        raise NotLabeledError(
            f"All labeled images are of one class ('{present[0]}'). Finetuning needs at least two "
            "classes. Label images of another class."
        )
    size = sum(counts)
    if given is not None and config.rounds == 1:
        return given
    budget = parse_budget(config.budget).of(size)
    first = budget if given is None else given
    if first + budget * (config.rounds - 1) > size:
        raise InputError(
            f"{config.rounds} rounds of {budget} images are more than the {size} images of the "
            "pool. Choose a smaller budget or fewer rounds."
        )
    _check_strategy(config)
    return budget


def check_selection(config: RunConfig, size: int, labeled: int, taken: int) -> int:
    """The budget as a count, if a pool of `size` images can serve a selection without training.

    `labeled` of them have a label, `taken` were picked before and can't be picked again. Raises
    InputError for a budget that is too large, a strategy that the track rules out, or the
    labels-known track where labels are missing.
    """
    if not size:
        raise InputError("There is no image to select from: the train split is empty or excluded.")
    budget = parse_budget(config.budget).of(size)
    if budget > size - taken:
        raise InputError(
            f"The budget is {budget} images, but only {size - taken} of {size} are left: {taken} "
            "are labelled or picked already. Choose less."
        )
    if config.track == LABELS_KNOWN and labeled < size:
        raise InputError(
            f"{size - labeled} of {size} images that may be selected have no label. The "
            "labels-known track needs all of them; use label-free."
        )
    _check_strategy(config)
    return budget


def _check_strategy(config: RunConfig) -> None:
    info = STRATEGIES[config.strategy].info
    check_options(info, parse_options(config.strategy_options))
    tracks = info.tracks
    if config.track not in tracks:
        raise InputError(
            f"The strategy '{config.strategy}' is for the {tracks[0]} track: it looks at labels "
            f"that the {config.track} track has not bought."
        )


@dataclass(frozen=True)
class Plan:
    """A run's rows (positions in `samples`) and its budget a round (a count).

    They are all labelled, but for the pool of a plan that only selects (`over_pool`).
    """

    config: RunConfig
    samples: Samples
    pool: Rows
    val: Rows
    test: Rows
    budget: int

    @classmethod
    def of(cls, config: RunConfig, samples: Samples) -> Plan:
        """Check that the dataset can serve the run.

        Raises InputError as `check_pool` does.
        """
        labeled = samples.labels >= 0
        pool = samples.pool[labeled[samples.pool]]
        counts = np.bincount(samples.labels[pool], minlength=len(samples.classes))
        budget = check_pool(config, samples.classes, counts.tolist(), 0 if config.subset else None)
        test, val = (rows[labeled[rows]] for rows in (samples.rows(TEST), samples.rows(VAL)))
        return cls(config, samples, pool, val, test, budget)

    @classmethod
    def over_pool(cls, config: RunConfig, samples: Samples, taken: Rows) -> Plan:
        """A plan to select from the whole pool, labelled or not, without training.

        `taken`: rows of the pool that were picked before. Raises InputError as `check_selection`.
        """
        pool, nothing = samples.pool, np.empty(0, dtype=np.int64)
        labeled = int((samples.labels[pool] >= 0).sum())
        budget = check_selection(config, len(pool), labeled, len(taken))
        return cls(config, samples, pool, nothing, nothing, budget)

    def places(self, rows: Rows) -> Rows:
        """Where `rows` stand within `pool`."""
        return np.searchsorted(self.pool, rows)

    def visible_labels(self, picked: Rows) -> Rows:
        """The pool's labels (n,), −1 for every one that the track has not paid for."""
        labels = self.samples.labels[self.pool]
        if self.config.track == LABELS_KNOWN:
            return labels
        visible = np.full_like(labels, -1)
        places = self.places(picked)
        visible[places] = labels[places]
        return visible

    def picker(self, view: ModelOutputs) -> str:
        """The strategy that selects: the configured one, unless it needs a model and there is none
        yet; then FIRST_ROUND."""
        needs_model = STRATEGIES[self.config.strategy].info.needs_model
        return FIRST_ROUND if needs_model and view.logits is None else self.config.strategy

    def select(
        self, view: ModelOutputs, seen: Floats, picked: Rows, number: int, ranks: Ranks = ALONE
    ) -> Picks:
        """Round `number`'s picks from the pool, by `seen` (n, d) and the current model's losses.

        With several `ranks`, the first one has the others share what can be shared.
        """
        offered = self.evidence(view, picked)
        strategy = self.picker(view)
        info = STRATEGIES[strategy].info
        wanted = {*info.required, *info.optional}
        own = strategy == self.config.strategy  # a stand-in has options of its own
        asked = {
            "features": seen,
            "budget": self.budget,
            "strategy": strategy,
            "chosen": self.places(picked),
            "keys": self.samples.digests[self.pool],
            "seed": self.config.seed * 1000 + number,
            **(parse_options(self.config.strategy_options) if own else {}),
            **{name: value for name, value in offered.items() if name in wanted},
        }
        if not info.splits or len(seen) < WORTH_SPLITTING * ranks.count:
            ranks = ALONE
        ranks.send(select_along, **asked)
        selection = vecaf.select(**asked, split=ranks)
        return Picks(self.samples.ids[self.pool[selection.ids]], selection.scores)

    def predicted(self, number: int) -> Rows:
        """The rows that round `number`'s model is asked about: the last round's all, and an earlier
        one's too where features are at hand; else those that its result is measured on."""
        if number == self.config.rounds or self.config.mode == "head-only":
            return self.samples.usable
        return np.union1d(self.val, self.test)

    def picked(self, recorder: Recorder, upto: int) -> Rows:
        """Rows picked in rounds 1 to `upto`, in order, without those that became unusable."""
        rounds = [recorder.picks(number) for number in range(1, upto + 1)]
        ids: list[NDArray[np.int64]] = [picks.sample_ids for picks in rounds if picks is not None]
        rows = np.searchsorted(self.samples.ids, np.concatenate([np.empty(0, np.int64), *ids]))
        usable: Rows = rows[self.samples.splits[rows] != NO_SPLIT]
        return usable

    def studied(self, recorder: Recorder, number: int) -> Rows:
        """Rows that round `number` trains on: all picked so far, or its own where picks are
        replaced. Replaced ones are not offered again: a run shows many images rather than few."""
        picked = self.picked(recorder, upto=number)
        if self.config.picks == "keep":
            return picked
        return picked[len(self.picked(recorder, upto=number - 1)) :]

    def evidence(self, view: ModelOutputs, picked: Rows) -> Mapping[str, Any]:
        """What a strategy may ask for. Losses are true where the label is visible and expected,
        by the model's own prediction, where it is not. Before there is a model, all labels known,
        they are those of a classifier that knows nothing: all the same."""
        labels = self.visible_labels(picked)
        if view.logits is None:
            if self.config.track != LABELS_KNOWN:
                return {"labels": labels}
            nothing = np.zeros((len(labels), len(self.samples.classes)), dtype=np.float32)
            return {"labels": labels, "losses": metrics.cross_entropy(nothing, labels)}
        losses = metrics.expected_cross_entropy(view.logits)
        known = (labels >= 0) & (labels < view.logits.shape[1])  # a class may be newer than it
        losses[known] = metrics.cross_entropy(view.logits[known], labels[known])
        return {
            "labels": labels,
            "losses": losses,
            "probabilities": metrics.probabilities(view.logits),
        }


@dataclass(frozen=True)
class Announcer:
    """Says where a round stands, as a sentence and as values on the run's curves."""

    recorder: Recorder
    number: int
    rounds: int

    def __call__(self, doing: str, done: int = 0, total: int = 0) -> None:
        self.recorder.stage(f"Round {self.number} of {self.rounds}: {doing}", done, total)

    def report(self, batches: int) -> Reporter:
        """The training's reports, with steps counted from the run's start."""
        return Reporter(
            start=lambda step: self.recorder.rewind(self.number, batches + step),
            metrics=lambda step, values: self.recorder.metric(self.number, batches + step, values),
            epoch=lambda done, total: self("training", done, total),
            should_stop=self.recorder.should_stop,
            publishing=self.recorder.publishing,
        )


def unshown(config: RunConfig, samples: Samples, picked: Rows) -> str:
    """The rest of a sentence on what was picked: the classes that training knows no image of, of
    all that are `picked` or, where class means of the whole pool are known, of that. Empty where it
    knows one of each."""
    pool_known = config.track == LABELS_KNOWN and config.head_init == "means"
    where, rows = ("in the pool", samples.pool) if pool_known else ("yet", picked)
    names, labels = samples.classes, samples.labels[rows]
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    missing = [f"'{name}'" for name, count in zip(names, counts, strict=True) if not count]
    if not missing:
        return ""
    if len(missing) > NAMED:
        return f"; {len(missing):,} of the {len(names):,} classes have no image {where}"
    return f"; no image of {' or '.join(missing)} {where}"


def select_along(ranks: Ranks, reporter: Reporter, **asked: Any) -> None:
    """Do another process's part of a selection, see `Plan.select`."""
    vecaf.select(**asked, split=ranks)
