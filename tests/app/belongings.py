"""Give a user one of everything that a user can own. Every text contains a mark to search for."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from PIL import Image

from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.edits import edit, rename_class
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.export.bundle import archive_path
from vecaf.export.model_files import CONFIG, LABELS, WEIGHTS
from vecaf.store import (
    FINISHED,
    SELECTION,
    Event,
    Import,
    Metric,
    Round,
    Run,
    Sample,
    SelectedSample,
    Store,
    Task,
)
from vecaf.store.models import now
from vecaf.store.subsets import add_subset
from vecaf.tasks.select_images import COVERS, EXPLANATION, SelectionExplanation
from vecaf.tasks.shift_preview import PREVIEW

MARK = "quokka"  # part of every name, label, caption and file of the user
PLACES = 12


@dataclass
class Belongings:
    """Ids and paths, by the names of the routes' parameters."""

    values: dict[str, list[object]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)  # no other user may receive it

    def first(self, name: str) -> Any:
        return self.values[name][0]


def archive(path: Path, mark: str = MARK) -> Path:
    """Make a ZIP of two classes of six images, a refused file, and captions in a metadata.csv."""
    rows = io.StringIO(newline="")
    writer = csv.writer(rows)
    writer.writerow(["file_name", "label", "text"])
    with zipfile.ZipFile(path, "w") as out:
        for i in range(PLACES):
            name = f"{mark}-{i}.png"
            buffer = io.BytesIO()
            Image.new("RGB", (24 + 200 * (i == 0), 24), (20 * i, 90, 30)).save(buffer, "PNG")
            out.writestr(name, buffer.getvalue())
            writer.writerow([name, f"{mark} class {i % 2}", f"a {mark} numbered {i}"])
        out.writestr(f"{mark}-bad.png", b"no image")
        out.writestr("metadata.csv", rows.getvalue())
    return path


def give(store: Store, user: int, folder: Path, mark: str = MARK) -> Belongings:
    """Give the user one of everything, with `mark` in every text."""
    settings = store.settings
    name = f"{MARK} data"
    import_dataset(store, archive(folder / "theirs.zip", mark), name, user_id=user)
    with store.write() as session:
        samples = session.scalars(sa.select(Sample).order_by(Sample.id)).all()
        ids = [sample.id for sample in samples]
        dataset_id = samples[0].dataset_id
        config = RunConfig(dataset=name).as_dict()
        run = Run(owner_id=user, dataset_id=dataset_id, name=f"{mark} run", config=config, seed=0,
                  state=FINISHED, started_at=now(), finished_at=now())  # fmt: skip
        job = Import(owner_id=user, name=f"{mark} import", source="x", state="failed",
                     error=f"The {mark} was shy.", finished_at=now())  # fmt: skip
        tasks = [
            Task(owner_id=user, dataset_id=dataset_id, kind=kind, params={"words": mark},
                 state=FINISHED, result={"words": mark})
            for kind in ("map", "selection", "shift_preview")
        ]  # fmt: skip
        session.add_all([run, job, *tasks])
        session.flush()
        session.add_all(
            [
                Round(run_id=run.id, number=1, labeled=4, batches=9, val_accuracy=None,
                      test_accuracy=None, confusion={}, seconds=1.0),
                Event(run_id=run.id, message=f"The {mark} began."),
                Metric(run_id=run.id, round=1, step=1, name="train_loss", value=0.5),
                *(SelectedSample(run_id=run.id, round=1, rank=rank, sample_id=one,
                                 scores={"s": 1.0})
                  for rank, one in enumerate(ids[:4])),
            ]
        )  # fmt: skip
        subset = add_subset(session, user, dataset_id, f"{mark} picks", SELECTION, ids[:4])
        made = edit(session, user, dataset_id, "caption", {ids[0]: f"a {mark} that was renamed"})
        rename_class(session, user, dataset_id, 0, f"{mark} renamed")
        assert made is not None
        numbers = {
            "dataset_id": [dataset_id], "sample_id": ids[:2], "run_id": [run.id],
            "subset_id": [subset.id], "import": [job.id], "edit": [made.id],
            "task_id": [task.id for task in tasks],
        }  # fmt: skip
        keys = [sample.sha256 for sample in samples]
    at = settings.tasks / str(numbers["task_id"][0])
    at.mkdir(parents=True)
    for file in ("pca", "umap", "pca-text", "space", "caption-match"):
        shape = (PLACES,) if file == "caption-match" else (PLACES, 2)
        np.save(at / f"{file}.npy", np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    (at / "findings.json").write_text(json.dumps({"note": mark}))
    at = settings.tasks / str(numbers["task_id"][1])
    at.mkdir(parents=True)
    picks = SelectionExplanation(
        ids[:4], {"s": [1.0] * 4}, [3] * 4, [[]] * 4, [0.5] * 4, None, None, None, [None] * 4,
        [""] * 4, [],
    )  # fmt: skip
    (at / EXPLANATION).write_text(json.dumps(asdict(picks)))
    np.save(at / COVERS, np.zeros(PLACES, np.int32))
    at = settings.tasks / str(numbers["task_id"][2])
    at.mkdir(parents=True)
    (at / PREVIEW).write_text(json.dumps({"names": [mark]}))
    folder = settings.runs / str(numbers["run_id"][0])
    (folder / "model").mkdir(parents=True)
    for file in (WEIGHTS, CONFIG, LABELS):
        (folder / "model" / file).write_text(mark)
    zeros = np.zeros(PLACES, np.float32)
    save_predictions(
        folder, 1, Predictions(np.array(ids), np.zeros(PLACES, np.int16), zeros + 0.5, zeros)
    )
    export = archive_path(store, user, int(numbers["run_id"][0]))
    export.parent.mkdir(parents=True)
    with zipfile.ZipFile(export, "w") as out:
        out.writestr("labels.json", json.dumps([mark]))
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    images = [path for path in files if path.suffix in (".png", ".jpg")]
    values: dict[str, list[object]] = {
        **{key: list(found) for key, found in numbers.items()},
        "form": ["ids.csv", "ids.json", "imagefolder.zip"],
        "name": ["labels.json"],
        "key": list(keys[:2]),
    }
    return Belongings(values, files, [mark.encode(), *(path.read_bytes() for path in images)])
