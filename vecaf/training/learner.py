"""The model being finetuned, from round to round: what it sees, how it learns, what it is worth.

Rows are positions in the run's `Samples`. In the labels-known track, where training is what
costs, each round goes on from the last one's weights; in the label-free track, where labels are,
each starts from the pretrained weights, so that a round's result depends on its labels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vecaf.arrays import Floats, Rows
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.pvm import PVM
from vecaf.store import VAL
from vecaf.training.checkpoints import load_tensors
from vecaf.training.loop import Leg
from vecaf.training.model import Centred, Classifier, Head, build_classifier
from vecaf.training.progress import Report
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.recipe import FULL_CHECKPOINT, Images, predict, train_full, train_head
from vecaf.training.start import left_to_learn, start_from_means, start_from_text

STATE = "training-state.safetensors"  # weights and optimizer, for the next round to go on from


@dataclass(frozen=True)
class View:
    """What the current model makes of some images.

    `features` (n, d): centred unit rows. `logits` (n, classes), or None before the first round.
    """

    features: Floats
    logits: Floats | None


@dataclass(frozen=True)
class Watch:
    """How a long pass over images tells its progress and learns that it should stop."""

    progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]


@dataclass(frozen=True)
class Start:
    """The classifier before its first batch, and by what its learning rate is multiplied."""

    head: Head
    rate: float = 1.0


class HeadLearner:
    """Trains a logistic head on the PVM's features, which stay in memory (mode head-only)."""

    def __init__(
        self,
        config: RunConfig,
        samples: Samples,
        features: Centred,
        pvm: PVM,
        device: str,
        folder: Path,
        watch: Watch,
        ranks: Ranks = ALONE,
    ) -> None:
        """`features`: the PVM's, of all samples; never written to. `folder`: the run's own."""
        self.ranks = ranks
        self.config, self.samples, self.pvm = config, samples, pvm
        self.device, self.folder, self.watch = device, folder, watch
        self.mean, self.centred = features.mean, features.rows
        self.head: Head | None = None
        self.guide: Floats | None = None  # (classes, d), what words alone make of the classes
        self.labels = torch.from_numpy(samples.labels).to(device)
        self._known: Start | None = None

    @property
    def goes_on(self) -> bool:
        """Whether a round starts from the weights of the one before."""
        return self.config.track == LABELS_KNOWN

    def restore(self, number: int) -> None:
        """Take up the weights that round `number` ended with. Raises DamagedFileError."""
        head = self.new_head()
        head.load_state_dict(load_tensors(self.round_folder(number) / "head.safetensors")[0])
        self.head = head

    def pretrained(self, rows: Rows) -> Floats:
        """Centred unit features (n, d) of `rows` under the pretrained weights."""
        return np.asarray(self.centred[torch.from_numpy(rows)].cpu().numpy())

    def look(self, rows: Rows) -> View:
        """Features and logits of `rows` under the current weights, or, with labels known, under the
        class means or names that training starts from."""
        if self.head is None and self.goes_on and self.config.head_init != "zeros":
            self.head = deepcopy(self.start(rows).head)
        logits = None if self.head is None else self.logits(rows)
        return View(self.pretrained(rows), logits)

    def learn(self, number: int, rows: Rows, augmented: Floats, val: Rows, report: Report) -> int:
        """Train round `number` on `rows` (n,) and what augmentation makes of their features.

        `augmented` (m·n, d) holds m versions of the rows, one block after the other; m may be 0.
        In full mode the head learns from them before the model is trained on the images alone.

        Validates on the rows `val`. Returns how many batches were spent.
        """
        start = self.start(rows)
        if self.head is None or not self.goes_on:
            self.head = deepcopy(start.head)
        anchor = None if self.guide is None else start.head.linear.weight.detach()
        where, val_where = torch.from_numpy(rows), torch.from_numpy(val)
        extra = torch.from_numpy(augmented).to(self.device)
        labels = self.labels[where]
        state = train_head(
            self.head,
            torch.cat([self.centred[where], extra]),
            torch.cat([labels, labels.repeat(len(extra) // len(labels))]),
            self.centred[val_where],
            self.labels[val_where],
            replace(self.config, head_lr=start.rate * self.config.head_lr),
            self.round_seed(number),
            self.round_folder(number),
            report,
            self.leg(number) if self.config.mode == "head-only" else None,
            anchor,
            self.ranks,
        )
        return state.step

    def logits(self, rows: Rows) -> Floats:
        """Logits (n, classes) of `rows`."""
        assert self.head is not None, "a round comes before its evaluation"
        with torch.inference_mode():
            logits = self.head(self.centred[torch.from_numpy(rows)])
        return np.asarray(logits.cpu().numpy())

    def classifier(self) -> Classifier:
        """The whole model with the current weights."""
        assert self.head is not None, "a round comes before its model"
        return build_classifier(self.pvm, self.head)

    def drop_checkpoints(self, number: int) -> None:
        """Remove what only an unfinished round needs: `number`'s checkpoints, what it went on from,
        and, after the last round, what no other will go on from."""
        unused = [*self.round_folder(number).glob("*-checkpoint.safetensors")]
        unused.append(self.round_folder(number - 1) / STATE)
        if number == self.config.rounds:
            unused.append(self.round_folder(number) / STATE)
        for path in unused:
            path.unlink(missing_ok=True)

    def new_head(self) -> Head:
        return Head(self.mean, len(self.samples.classes)).to(self.device)

    def start(self, rows: Rows) -> Start:
        """What training on `rows` starts from; with labels known, the whole pool's are known, too,
        and every round has the same start."""
        if not self.goes_on:
            return self._start(rows)
        if self._known is None:
            self._known = self._start(self.samples.pool)
        return self._known

    def _start(self, rows: Rows) -> Start:
        head, labels = self.new_head(), self.samples.labels
        if self.config.head_init != "means" and self.guide is None:
            return Start(head)
        where = torch.from_numpy(rows[labels[rows] >= 0])
        features, known = self.centred[where], self.labels[where]
        if self.config.head_init == "means":
            val = self.samples.rows(VAL)
            checked = torch.from_numpy(val[labels[val] >= 0])
            start_from_means(head, features, known, self.centred[checked], self.labels[checked])
            if self.config.target_words:
                return Start(head)  # what words say of another domain is news to these means
            return Start(head, left_to_learn(head, features, known))
        start_from_text(head, torch.from_numpy(self.guide).to(self.device), features, known)
        return Start(head)

    def trains_head(self) -> bool:
        """Whether the next round begins with the head alone."""
        return True

    def leg(self, number: int) -> Leg | None:
        """Round `number` as a part of the run's one training; None where each has its own."""
        if self.config.schedule != "run":
            return None
        before = self.round_folder(number - 1) / STATE if number > 1 else None
        return Leg(number - 1, self.config.rounds, before, self.round_folder(number) / STATE)

    def round_folder(self, number: int) -> Path:
        return self.folder / f"round-{number}"

    def round_seed(self, number: int) -> int:
        return self.config.seed * 1000 + number


class FullLearner(HeadLearner):
    """Trains the head first, then the whole model on the images themselves (mode full)."""

    model: Classifier | None = None

    def restore(self, number: int) -> None:
        tensors = load_tensors(self.round_folder(number) / "model.safetensors")[0]
        self.model = self._new_model(self.new_head())
        self.model.load_state_dict(tensors)

    def look(self, rows: Rows) -> View:
        return super().look(rows) if self.model is None else View(*self._predict(rows))

    def trains_head(self) -> bool:
        return self.model is None or not self.goes_on

    def learn(self, number: int, rows: Rows, augmented: Floats, val: Rows, report: Report) -> int:
        head_steps = 0
        if self.trains_head():
            goes_on = (self.round_folder(number) / FULL_CHECKPOINT).exists()
            first = report.quiet_start() if goes_on else report  # keep the curve that follows
            head_steps = super().learn(number, rows, augmented, val, first)
            assert self.head is not None
            self.model = self._new_model(self.head)
        assert self.model is not None
        leg = self.leg(number)
        if self.config.mode == "lora" and leg is not None and leg.before is not None:
            # The adapters that go on stand beside the weights that they began beside.
            self.model = self._new_model(self.new_head())
        state = train_full(
            self.model,
            self._images(rows),
            self._images(val),
            self.pvm.preprocessing,
            self.config,
            self.round_seed(number),
            self.round_folder(number),
            report.after(head_steps),
            leg,
            self.ranks,
        )
        return head_steps + state.step

    def logits(self, rows: Rows) -> Floats:
        return super().logits(rows) if self.model is None else self._predict(rows)[1]

    def classifier(self) -> Classifier:
        assert self.model is not None, "a round comes before its model"
        return self.model

    def _new_model(self, head: Head) -> Classifier:
        model = build_classifier(self.pvm, head)
        return model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        assert self.model is not None
        return predict(
            self.model, self._images(rows).paths, self.pvm.preprocessing,
            self.watch.should_stop, self.watch.progress,
        )  # fmt: skip

    def _images(self, rows: Rows) -> Images:
        return Images([self.samples.paths[row] for row in rows], self.samples.labels[rows])


LEARNERS: dict[str, type[HeadLearner]] = {
    "head-only": HeadLearner,
    "lora": FullLearner,
    "full": FullLearner,
}
