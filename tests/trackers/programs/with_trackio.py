"""Record a run with the tracker `trackio`, and print what Trackio stored. Runs in .venv-interop.

Usage: with_trackio.py FOLDER, with the repository in PYTHONPATH and TRACKIO_DIR set.
"""

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from trackio import Api
from trackio.sqlite_storage import SQLiteStorage

from vecaf.trackers import TRACKERS, TrackedRun


def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "model").mkdir()
    (folder / "model" / "labels.json").write_text('["cat", "dog"]')
    Image.new("RGB", (8, 8), "red").save(folder / "confusion.png")
    run = TrackedRun(7, "pets", folder, folder, {"strategy": "vecaf", "budget": "6"})
    for attempt in (1, 2):  # the second one resumes
        tracker = TRACKERS["trackio"](run)
        tracker.metrics(attempt, {"training/train_loss": 1.0 / attempt})
        if attempt == 2:
            tracker.metrics(2, {"test/accuracy": 0.75})
            table: dict[str, list[Any]] = {
                "rank": [0, 1],
                "file_name": ["a.png", "b.png"],
                "label": ["cat", None],
            }
            tracker.table("selected/round-1", 2, table)
            tracker.picture("confusion_matrix", 2, folder / "confusion.png")
            tracker.model(folder / "model")
        tracker.end(attempt == 2)
    (found,) = Api().runs("vecaf-studio")
    stored = {
        "name": found.name,
        "config": found.config,
        "rows": SQLiteStorage.get_logs("vecaf-studio", found.name, run_id=found.id),
        "artifacts": SQLiteStorage.get_artifacts("vecaf-studio"),
    }
    print(json.dumps(stored, default=str))


if __name__ == "__main__":
    main()
