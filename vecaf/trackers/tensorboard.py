"""TensorBoard: event files in the folder of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vecaf.trackers.tracker import TrackedRun, Tracker, tracker

FOLDER = "tensorboard"
MOST_ROWS = 200  # the page draws a table as text


@tracker(
    description="Writes event files. Show them with tensorboard --logdir DATA_FOLDER/runs.",
    package="tensorboard",
    extra="tensorboard",
)
def tensorboard(run: TrackedRun) -> Tracker:
    """Write event files to `tensorboard/` in the folder of the run."""
    return TensorBoard(run)


class TensorBoard:
    """A tracker that writes event files."""

    def __init__(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open: Any = SummaryWriter
        self._folder = str(run.folder / FOLDER)
        self._writer: Any = SummaryWriter(self._folder)
        rows = {"setting": list(run.settings), "value": list(run.settings.values())}
        self.table("settings", 0, rows)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def rewind(self, step: int) -> None:
        self._writer.close()
        self._writer = self._open(self._folder, purge_step=step + 1)

    def table(self, name: str, step: int, columns: Mapping[str, Sequence[Any]]) -> None:
        rows = list(zip(*columns.values(), strict=True))
        lines = [list(columns), ["---"] * len(columns), *rows[:MOST_ROWS]]
        text = "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)
        if len(rows) > MOST_ROWS:
            text += f"\n\n{len(rows) - MOST_ROWS:,} more rows."
        self._writer.add_text(name, text, step)

    def picture(self, name: str, step: int, path: Path) -> None:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def model(self, folder: Path) -> None:
        """Record the names of the files: event files can't hold a model."""
        files = sorted(path for path in folder.iterdir() if path.is_file())
        columns: dict[str, list[Any]] = {
            "file": [f"{folder.name}/{path.name}" for path in files],
            "bytes": [path.stat().st_size for path in files],
        }
        self.table("model", 0, columns)

    def end(self, finished: bool) -> None:
        self._writer.close()


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
