"""A recorder that also reports to the trackers that a run names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.engine.recorder import DatabaseRecorder
from vecaf.evaluation.confusion_picture import save_confusion
from vecaf.runs.recording import RoundSelection
from vecaf.store import TEST, VAL, Run, Store
from vecaf.store.records import RoundResult
from vecaf.store.samples import samples_by_id
from vecaf.trackers import TRACKERS, TrackedRun, tracker_names
from vecaf.trackers.sending import Sender

PICTURES = "confusion"
"""In the folder of the run: the confusion matrix of each round."""


class TrackedRecorder(DatabaseRecorder):
    """Saves a run to the database, and sends what it saves to trackers.

    A tracker that fails does not harm the run: its failures are events of the run.
    """

    def __init__(
        self, store: Store, run_id: int, attempt: int, *, stopping: Callable[[], bool]
    ) -> None:
        super().__init__(store, run_id, attempt, stopping=stopping)
        self._senders: list[Sender] = []
        self._samples: Samples | None = None
        self._folder = Path()
        self._batches = 0

    def track(self, run: Run, config: RunConfig, samples: Samples, folder: Path) -> None:
        """Start the trackers that the settings name, once."""
        self._samples, self._folder = samples, folder
        if self._senders:
            return
        home = self._store.settings.home
        tracked = TrackedRun(run.id, run.name, folder, home, config.as_dict())
        for name in tracker_names(config.trackers):
            self._senders.append(Sender(name, partial(TRACKERS[name], tracked)))
        finished = self.finished_rounds()
        self._batches = finished[-1].batches if finished else 0

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None:
        super().metric(round, step, values)
        self._send("metrics", step, {f"training/{name}": one for name, one in values.items()})

    def rewind(self, round: int, step: int) -> None:
        super().rewind(round, step)
        self._send("rewind", max(step, self._batches))

    def record_selection(self, round: int, selection: RoundSelection) -> None:
        super().record_selection(round, selection)
        samples = self._samples
        if samples is None or not self._senders:
            return
        rows = np.searchsorted(samples.ids, selection.sample_ids)
        columns = {
            "rank": list(range(len(rows))),
            "image": selection.sample_ids.tolist(),
            "file_name": self._file_names(selection.sample_ids.tolist()),
            "label": [_name(samples, row) for row in rows],
        }
        scores = {name: values.tolist() for name, values in selection.scores.items()}
        self._send("table", f"selected/round-{round}", self._batches, columns | scores)

    def finish_round(self, result: RoundResult) -> None:
        super().finish_round(result)
        self._batches = result.batches
        values = {
            f"{split}/{name}": value
            for split in (VAL, TEST)
            for name, value in result.metrics[split].items()
        }
        rest = {"rounds": float(result.number), "labeled_images": float(result.labeled)}
        self._send("metrics", result.batches, values | rest)
        if self._senders and self._samples is not None and np.any(result.confusion or 0):
            path = self._folder / PICTURES / f"round-{result.number}.png"
            save_confusion(path, result.confusion or [], self._samples.classes)
            self._send("picture", "confusion_matrix", result.batches, path)

    def close(self, finished: bool) -> None:
        """Send the model of a finished run, and wait a little for what is still being sent."""
        if finished:
            self._send("model", self._folder / "model")
        self._send("end", finished)
        problems = [text for sender in self._senders for text in sender.close()]
        if finished:  # otherwise the attempt may be outdated
            self._report(problems)

    def _file_names(self, ids: list[int]) -> list[str]:
        with self._store.read() as session:
            run = session.get_one(Run, self._run_id)
            found = samples_by_id(session, run.owner_id, run.dataset_id, ids)
        return [found[sample_id].file_name for sample_id in ids]

    def _send(self, method: str, *arguments: object) -> None:
        for sender in self._senders:
            sender.send(method, *arguments)
            self._report(sender.problems())

    def _report(self, problems: list[str]) -> None:
        for text in problems:
            self.log(text, "warning")


def _name(samples: Samples, row: int) -> str | None:
    label = int(samples.labels[row])
    return None if label < 0 else samples.classes[label]
