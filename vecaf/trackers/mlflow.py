"""MLflow: a tracking server, or a database in the data folder."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vecaf.files import write_bytes
from vecaf.trackers.tracker import TrackedRun, Tracker, tracker

EXPERIMENT = "VeCAF Studio"
DATABASE, ARTIFACTS = "mlflow.db", "mlflow-artifacts"
KEPT = "mlflow-run.txt"
"""In the folder of the run: the id that MLflow gave it, for later attempts."""


@tracker(
    description="Records to the server in MLFLOW_TRACKING_URI, else to mlflow.db in the data "
    "folder.",
    package="mlflow",
    extra="mlflow",
)
def mlflow(run: TrackedRun) -> Tracker:
    """Record to the server of MLFLOW_TRACKING_URI, or to a database in the data folder."""
    return MLflow(run)


class MLflow:
    """A tracker that records to MLflow."""

    def __init__(self, run: TrackedRun) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        given = os.environ.get("MLFLOW_TRACKING_URI")
        self._client: Any = MlflowClient(given or f"sqlite:///{run.home / DATABASE}")
        kept = run.folder / KEPT
        if kept.is_file():
            self._run = kept.read_text()
            self._client.update_run(self._run, status="RUNNING")
            return
        artifacts = None if given else (run.home / ARTIFACTS).as_uri()
        self._run = self._new_run(run, artifacts)
        write_bytes(kept, self._run.encode())

    def _new_run(self, run: TrackedRun, artifacts: str | None) -> str:
        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        experiment = (
            found.experiment_id
            if found is not None
            else self._client.create_experiment(name, artifact_location=artifacts)
        )
        made = self._client.create_run(
            experiment, run_name=run.name, tags={"vecaf.run": str(run.id)}
        )
        settings = [Param(name, str(value)) for name, value in run.settings.items()]
        self._client.log_batch(made.info.run_id, params=settings)
        return str(made.info.run_id)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=rows)

    def rewind(self, step: int) -> None:
        """Do nothing: MLflow keeps both values of a repeated step."""

    def table(self, name: str, step: int, columns: Mapping[str, Sequence[Any]]) -> None:
        lists = {name: list(values) for name, values in columns.items()}
        self._client.log_table(self._run, lists, f"{name}.json")

    def picture(self, name: str, step: int, path: Path) -> None:
        from PIL import Image

        with Image.open(path) as image:
            self._client.log_image(self._run, image.convert("RGB"), f"{name}/step-{step}.png")

    def model(self, folder: Path) -> None:
        self._client.log_artifacts(self._run, str(folder), "model")

    def end(self, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")
