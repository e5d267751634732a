"""Everything that a finished run gives away, in one folder that needs no studio to be used."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.files import write_bytes
from vecaf.finetuning.model_files import CONFIG, LABELS, WEIGHTS
from vecaf.recording import percent
from vecaf.store import Dataset, Round, Run, Sample, Selection, Store, visible

CARD, RECEIPT = "README.md", "receipt.json"
SELECTION_CSV, SELECTION_JSON = "selection.csv", "selection.json"
VERSIONED = ("torch", "timm", "openvino", "numpy")  # as they are at export


@dataclass(frozen=True)
class _Story:
    """What the store knows of a run."""

    run: Run
    dataset: Dataset
    rounds: Sequence[Round]
    picks: Sequence[dict[str, Any]]


def model_folder(store: Store, user_id: int, run_id: int) -> Path:
    """The folder of a run's exported model. Raises InputError while there is none."""
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
    folder = store.settings.runs / str(run_id) / "model"
    if not all((folder / name).exists() for name in (WEIGHTS, CONFIG, LABELS)):
        raise InputError(f"Run {run_id} is {run.state}; it has a model once it has finished.")
    return folder


def export_run(store: Store, user_id: int, run_id: int, to: Path) -> list[Path]:
    """Write a run's model, labels, card, picks and receipt to the folder `to`; the files written.

    Raises InputError for a run that has not finished, or a folder that holds other things.
    """
    source = model_folder(store, user_id, run_id)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} is there already and not empty; give a new folder.")
    story = _read(store, user_id, run_id)
    to.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, CONFIG, LABELS):
        shutil.copyfile(source / name, to / name)
    write_bytes(to / SELECTION_CSV, _csv(story.picks))
    write_bytes(to / SELECTION_JSON, _json(list(story.picks)))
    write_bytes(to / RECEIPT, _json(_receipt(story)))
    write_bytes(to / CARD, _card(story).encode())
    return sorted(to.iterdir())


def _read(store: Store, user_id: int, run_id: int) -> _Story:
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        dataset = session.get_one(Dataset, run.dataset_id)
        rounds = session.scalars(
            sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
        ).all()
        rows = session.execute(
            sa.select(Selection, Sample)
            .join(Sample, Sample.id == Selection.sample_id)
            .where(Selection.run_id == run_id)
            .order_by(Selection.round, Selection.rank)
        )
        picks = [
            {
                "round": pick.round,
                "rank": pick.rank,
                "sample_id": sample.id,
                "file_name": sample.file_name,
                "sha256": sample.sha256,
                "label": None if sample.label is None else dataset.classes[sample.label],
                "scores": pick.scores,
            }
            for pick, sample in rows
        ]
    return _Story(run, dataset, rounds, picks)


def _receipt(story: _Story) -> dict[str, Any]:
    """What repeats the selection: configuration, data, seed, versions, and the picks by content."""
    rounds: dict[int, list[str]] = {}
    for pick in story.picks:
        rounds.setdefault(pick["round"], []).append(pick["sha256"])
    return {
        "format": 1,
        "run": story.run.id,
        "config": story.run.config,
        "seed": story.run.seed,
        "dataset": {"name": story.dataset.name, "content_hash": story.dataset.content_hash},
        "versions": {name: version(name) for name in VERSIONED if find_spec(name)},
        "picks": [{"round": number, "sha256": keys} for number, keys in rounds.items()],
    }


def _card(story: _Story) -> str:
    config = RunConfig.from_dict(story.run.config)
    table = "\n".join(
        f"| {r.number} | {r.labeled} | {r.batches} | {percent(r.val_accuracy)} "
        f"| {percent(r.test_accuracy)} |"
        for r in story.rounds
    )
    attribution = f"\nData: {story.dataset.attribution}\n" if story.dataset.attribution else ""
    return f"""# {story.run.name}

`{config.model}` finetuned on {story.rounds[-1].labeled} images of **{story.dataset.name}**,
picked by `{config.strategy}` in {config.rounds} rounds ({config.track} track, {config.mode}).

| round | labelled images | batches | validation accuracy | test accuracy |
|---|---|---|---|---|
{table}

The model of the last round is the one exported. Test accuracy is on the dataset's own test split,
which neither the selection nor the choice of the best epoch has seen.
{attribution}
Classes: {", ".join(story.dataset.classes)}

## Use

```python
from pathlib import Path
from vecaf.finetuning.export import Predictor

predictor = Predictor.load(Path("."))
print(predictor.predict(Path("image.jpg")))
```

## Repeat

```
{config.as_command()}
```
"""


def _csv(picks: Sequence[dict[str, Any]]) -> bytes:
    names = sorted({name for pick in picks for name in pick["scores"]})
    text = io.StringIO()
    plain = ["round", "rank", "sample_id", "file_name", "sha256", "label"]
    writer = csv.writer(text)
    writer.writerow([*plain, *names])
    for pick in picks:
        scores = [pick["scores"].get(name) for name in names]
        writer.writerow([*(_cell(pick[name]) for name in plain), *scores])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """A spreadsheet runs text that begins like a formula; an apostrophe keeps it text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
