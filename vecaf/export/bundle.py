"""Everything that a finished run gives away, in one folder that needs no studio to be used."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.datasets.metadata import guarded
from vecaf.datasets.pool import Samples, load_samples
from vecaf.datasets.snapshot import NAME as SNAPSHOT
from vecaf.datasets.snapshot import with_snapshot
from vecaf.errors import InputError, VecafError
from vecaf.export.card import CURVE, SHEET, SHOWN, Reached, card, contact_sheet, curve
from vecaf.export.model_files import CONFIG, LABELS, ONNX, STANDALONE, WEIGHTS, onnx_missing
from vecaf.export.receipt import Receipt, copies_in, data_hash
from vecaf.export.versions import versions_of
from vecaf.files import ABANDONED_SECONDS, age, new_folder, replacing, temporary_folder, write_bytes
from vecaf.settings import Settings
from vecaf.store import FINISHED, Dataset, Round, Run, Sample, SelectedSample, Store, visible

CARD, RECEIPT, SCRIPT = "README.md", "receipt.json", "predict.py"
SELECTION_CSV, SELECTION_JSON = "selection.csv", "selection.json"
LAYOUT = 3  # of the kept archives; raise it when exports change, and the old ones are made anew


@dataclass(frozen=True)
class _Story:
    """What the store and the run's folder know of a run; `samples` as when it began."""

    run: Run
    config: RunConfig
    dataset: Dataset
    samples: Samples
    rounds: Sequence[Round]
    picks: Sequence[dict[str, Any]]
    versions: Sequence[dict[str, str]]


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

    The folder appears when it is complete, or not at all. Raises InputError for a run that has
    not finished, or a folder that holds other things; UnavailableError when the disk is full.
    """
    to = to.absolute()
    source = model_folder(store, user_id, run_id)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} is there already and not empty; give a new folder.")
    story = _read(store, user_id, run_id)
    with new_folder(to) as folder:
        _write(story, source, folder)
    return sorted(to.iterdir())


def kept_archive(store: Store, user_id: int, run_id: int) -> Path:
    """Where the run's export lies as one zip, once `build_archive` has made it.

    A finished run never changes, so one archive is enough; one that was made while packages for
    ONNX were missing has a name of its own, so that another is made once they are there. Raises
    InputError for a run that has not finished.
    """
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
    model_folder(store, user_id, run_id)
    if run.state != FINISHED or run.finished_at is None:
        raise InputError(f"Run {run_id} is {run.state}; it has a model once it has finished.")
    stamp = run.finished_at.strftime("%Y%m%d%H%M%S%f")
    whole = store.settings.runs / str(run_id) / "export" / f"{stamp}-{LAYOUT}.zip"
    if whole.exists() or onnx_missing() is None:
        return whole
    return whole.with_stem(f"{whole.stem}-without-onnx")


def build_archive(
    store: Store, user_id: int, run_id: int, say: Callable[[str], None] = lambda stage: None
) -> Path:
    """The run's export as one zip, made at the first call. Raises InputError as `export_run`.

    `say` is told each stage as a few words.
    """
    archive = kept_archive(store, user_id, run_id)
    if archive.exists():
        return archive
    say("Reading the run")
    story = _read(store, user_id, run_id)
    archive.parent.mkdir(exist_ok=True)
    with temporary_folder(archive.parent, ".building-") as folder:
        say("Writing the files and checking the ONNX model")
        _write(story, model_folder(store, user_id, run_id), folder)
        say("Packing the files")
        with replacing(archive) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out:
            for path in sorted(folder.iterdir()):
                out.write(path, path.name)
    for other in archive.parent.glob("*.zip"):
        if other != archive:  # of an earlier layout, or without ONNX
            other.unlink(missing_ok=True)
    return archive


def sweep(settings: Settings) -> None:
    """Remove what exports that were killed have left in the studio's home, once it is old."""
    for path in (*settings.runs.glob("*/export/.*"), *settings.home.glob("download-*")):
        if age(path) < ABANDONED_SECONDS:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _write(story: _Story, source: Path, to: Path) -> None:
    for name in (WEIGHTS, CONFIG, LABELS):
        shutil.copyfile(source / name, to / name)
    onnx = _onnx(to)
    write_bytes(to / SCRIPT, STANDALONE.read_bytes())
    write_bytes(to / SELECTION_CSV, _csv(story.picks))
    write_bytes(to / SELECTION_JSON, _json(list(story.picks)))
    reached = [
        Reached(r.number, r.labeled, r.batches, r.val_accuracy, r.test_accuracy)
        for r in story.rounds
    ]
    write_bytes(to / CURVE, curve(reached))
    sheet = contact_sheet([story.samples.path_of(p["sha256"]) for p in story.picks[:SHOWN]])
    if sheet is not None:
        write_bytes(to / SHEET, sheet)
    text = card(
        story.run.name,
        story.config,
        story.dataset.name,
        story.dataset.attribution,
        story.samples.classes,
        reached,
        onnx,
        sheet is not None,
    )
    write_bytes(to / CARD, text.encode())
    write_bytes(to / RECEIPT, _json(_receipt(story).as_dict(_listing(to))))
    for path in to.iterdir():
        path.chmod(0o644)  # temporary files are for their owner alone; an export is to be shared


def _onnx(folder: Path) -> str:
    """Write model.onnx; what became of it, as a sentence for the card.

    A model that can't be written as ONNX is exported without it: the safetensors are the model.
    """
    from vecaf.export.onnx import export_onnx  # torch is imported only where it is used

    try:
        difference = export_onnx(folder)
    except VecafError as error:
        return f"This export has no {ONNX}, which {SCRIPT} needs. {error}"
    return (
        f"`{ONNX}` takes float32 images (n, 3, s, s), prepared as `{CONFIG}` says and `{SCRIPT}` "
        "does, and gives logits. It was checked against PyTorch when it was written: the largest "
        f"difference of a logit was {difference:.1e}."
    )


def _listing(folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.iterdir())
    ]


def _read(store: Store, user_id: int, run_id: int) -> _Story:
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        dataset = session.get_one(Dataset, run.dataset_id)
        samples = load_samples(session, dataset, store.settings.images)
        rounds = session.scalars(
            sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
        ).all()
        rows = session.execute(
            sa.select(SelectedSample, Sample.id, Sample.file_name, Sample.sha256)
            .join(Sample, Sample.id == SelectedSample.sample_id)
            .where(SelectedSample.run_id == run_id)
            .order_by(SelectedSample.round, SelectedSample.rank)
        ).all()
    folder = store.settings.runs / str(run_id)
    if (folder / SNAPSHOT).exists():
        samples = with_snapshot(samples, folder)
    label_of = dict(zip(samples.ids.tolist(), samples.labels.tolist(), strict=True))
    picks = [
        {
            "round": pick.round,
            "rank": pick.rank,
            "sample_id": sample_id,
            "file_name": file_name,
            "sha256": sha256,
            "label": None if label_of[sample_id] < 0 else samples.classes[label_of[sample_id]],
            "scores": pick.scores,
        }
        for pick, sample_id, file_name, sha256 in rows
    ]
    config, versions = RunConfig.from_dict(run.config), versions_of(folder)
    return _Story(run, config, dataset, samples, rounds, picks, versions)


def _receipt(story: _Story) -> Receipt:
    copy_of = {
        story.samples.ids[row]: copy
        for rows in copies_in(story.samples).values()
        for copy, row in enumerate(rows)
    }
    picks, copies = defaultdict[int, list[str]](list), defaultdict[int, list[int]](list)
    for pick in story.picks:
        picks[pick["round"]].append(pick["sha256"])
        # An old run kept no snapshot: what it picked may have lost its label since.
        copies[pick["round"]].append(copy_of.get(pick["sample_id"], 0))
    return Receipt(
        run=story.run.id,
        name=story.run.name,
        config=story.config,
        dataset=story.dataset.name,
        content_hash=story.dataset.content_hash,
        data_hash=data_hash(story.samples),
        versions=tuple(story.versions),
        picks=tuple(tuple(picks[number]) for number in sorted(picks)),
        copies=tuple(tuple(copies[number]) for number in sorted(copies)),
    )


def _csv(picks: Sequence[dict[str, Any]]) -> bytes:
    names = sorted({name for pick in picks for name in pick["scores"]})
    text = io.StringIO()
    plain = ["round", "rank", "sample_id", "file_name", "sha256", "label"]
    writer = csv.writer(text)
    writer.writerow([*plain, *names])
    for pick in picks:
        scores = [pick["scores"].get(name) for name in names]
        cells = [pick[name] for name in plain]
        cells = [guarded(cell) if isinstance(cell, str) else cell for cell in cells]
        writer.writerow([*cells, *scores])
    return text.getvalue().encode()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
