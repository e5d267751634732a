"""Validate tasks with Label Studio's SDK, and convert them to JSON-MIN. Runs in .venv-interop.

Usage: with_label_studio.py FOLDER TO. FOLDER has config.xml and tasks.json.
"""

import json
import sys
from pathlib import Path

from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface


def main() -> None:
    folder, to = map(Path, sys.argv[1:])
    config = (folder / "config.xml").read_text()
    interface = LabelInterface(config)
    interface.validate()
    tasks = json.loads((folder / "tasks.json").read_text())
    for number, task in enumerate(tasks):
        assert interface.validate_task({"id": number, "data": task["data"]}), task
        for one in task.get("annotations", ()):
            assert interface.validate_annotation(one), one
        for one in task.get("predictions", ()):
            assert interface.validate_prediction(one), one
    exported = [
        {
            "id": number,
            **task,
            "annotations": [
                {"id": number, "completed_by": 1, "was_cancelled": False, **one}
                for one in task.get("annotations", ())
            ],
        }
        for number, task in enumerate(tasks)
    ]
    (to / "export.json").write_text(json.dumps(exported))
    (to / "short").mkdir()
    Converter(config, str(to)).convert_to_json_min(
        str(to / "export.json"), str(to / "short"), is_dir=False
    )


if __name__ == "__main__":
    main()
