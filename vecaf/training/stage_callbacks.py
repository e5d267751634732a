"""What a training stage reports and keeps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from vecaf.training.checkpoints import save_tensors
from vecaf.training.reporter import Reporter
from vecaf.training.trainer import Callbacks, ScheduleSegment, Trainer


@dataclass(frozen=True)
class StageCallbacks(Callbacks):
    """Report the curves, validate after each epoch, and save the best weights.

    Attributes
    ----------
    reporter
        Receives the reports.
    epochs
        Of the stage.
    validate
        Computes logits (v, classes) of the validation set.
    labels
        Class indices (v,) of the validation set.
    model
        Returns the module whose weights are saved.
    path
        Where they are saved.
    segment
        In a schedule segment, later epochs score higher: the next segment continues the last one.
    """

    reporter: Reporter
    epochs: int
    validate: Callable[[], Tensor]
    labels: Tensor
    model: Callable[[], nn.Module]
    path: Path
    segment: ScheduleSegment | None

    def on_start(self, trainer: Trainer) -> None:
        self.reporter.start(trainer.state.step)

    def on_loss(self, trainer: Trainer, loss: float) -> None:
        self.reporter.metrics(trainer.state.step, {"train_loss": loss})

    def on_epoch_end(self, trainer: Trainer, loss: float) -> float:
        self.reporter.epoch(trainer.epoch, self.epochs)
        values = {"train_loss": loss}
        score = float(trainer.epoch)
        if len(self.labels):
            logits = self.validate()
            accuracy = float((logits.argmax(dim=1) == self.labels).float().mean())
            val_loss = float(F.cross_entropy(logits, self.labels))
            values |= {"val_loss": val_loss, "val_accuracy": accuracy}
            if self.segment is None:
                # Less than one image's share of the accuracy: the loss only breaks ties.
                score = accuracy - 0.5 * val_loss / (1 + val_loss) / len(self.labels)
        self.reporter.metrics(trainer.state.step, values)
        return score

    def on_best(self, trainer: Trainer) -> None:
        weights = {name: value.detach().cpu() for name, value in self.model().state_dict().items()}
        save_tensors(self.path, weights, {}, self.publishing)

    def should_stop(self) -> bool:
        return self.reporter.should_stop()

    def publishing(self) -> AbstractContextManager[object]:
        return self.reporter.publishing()
