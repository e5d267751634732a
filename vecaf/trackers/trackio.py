"""Trackio: a local dashboard, or a server of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vecaf.trackers.tracker import TrackedRun, Tracker, tracker

PROJECT = "vecaf-studio"


@tracker(
    description="Records to TRACKIO_SERVER_URL if it is set, else to TRACKIO_DIR. To view the "
    "runs, use trackio show.",
    package="trackio",
    extra="trackio",
)
def trackio(run: TrackedRun) -> Tracker:
    """Record to the project vecaf-studio."""
    return Trackio(run)


class Trackio:
    """A tracker that records to Trackio."""

    def __init__(self, run: TrackedRun) -> None:
        import trackio

        self._trackio: Any = trackio
        self._name = f"run-{run.id}"
        self._run: Any = trackio.init(
            project=PROJECT,
            name=self._name,
            config={"name": run.name, **run.settings},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._trackio.log(dict(values), step=step)

    def rewind(self, step: int) -> None:
        """Do nothing: Trackio keeps both values of a repeated step."""

    def table(self, name: str, step: int, columns: Mapping[str, Sequence[Any]]) -> None:
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self._trackio.log({name: self._trackio.Table(list(columns), rows)}, step=step)

    def picture(self, name: str, step: int, path: Path) -> None:
        self._trackio.log({name: self._trackio.Image(path)}, step=step)

    def model(self, folder: Path) -> None:
        self._trackio.log_artifact(folder, name=f"{self._name}-model", type="model")

    def end(self, finished: bool) -> None:
        self._trackio.finish()
