"""Export of a finished run into one folder or archive that can be used without the studio."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from vecaf.datasets.metadata import guarded
from vecaf.errors import InputError, VecafError
from vecaf.export.accuracy_plot import PLOT, accuracy_plot
from vecaf.export.model_card import SHEET, SHOWN, contact_sheet, model_card
from vecaf.export.model_files import CONFIG, LABELS, ONNX, STANDALONE, WEIGHTS, onnx_missing
from vecaf.export.more_forms import check_forms, write_forms
from vecaf.export.run_record import RunRecord, make_receipt, read_record
from vecaf.files import ABANDONED_SECONDS, age, new_folder, replacing, temporary_folder, write_bytes
from vecaf.settings import Settings
from vecaf.store import CANCELED, FAILED, FINISHED, Run, Store, visible
from vecaf.store.runs import round_result

CARD, RECEIPT, SCRIPT = "README.md", "receipt.json", "predict.py"
SELECTION_CSV, SELECTION_JSON = "selection.csv", "selection.json"
ARCHIVE_VERSION = 7  # increase it when exports change, so that archives are rebuilt
STOPPED = {FAILED: "failed", CANCELED: "was canceled"}


def model_folder(store: Store, user_id: int, run_id: int) -> Path:
    """Return the folder of a run's exported model.

    Raises
    ------
    InputError
        If the run has no model yet.
    NotFoundError
        If the run does not exist or the user may not see it.
    """
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
    folder = store.settings.runs / str(run_id) / "model"
    if not all((folder / name).exists() for name in (WEIGHTS, CONFIG, LABELS)):
        raise InputError(_no_model(run_id, run.state))
    return folder


def _no_model(run_id: int, state: str) -> str:
    if state in STOPPED:
        return (
            f"Run {run_id} has no model, because it {STOPPED[state]}. Resume it: python -m vecaf "
            f"resume {run_id}"
        )
    return f"Run {run_id} has no model yet. Wait for it to finish."


def export_run(
    store: Store, user_id: int, run_id: int, to: Path, more: Collection[str] = ()
) -> list[Path]:
    """Export a run into a folder: model, labels, model card, selection and receipt.

    The folder appears only once it is complete.

    Parameters
    ----------
    to
        A new folder.
    more
        Further forms of the model: "timm" and "int8" (see `vecaf.export.more_forms`).

    Returns
    -------
    list of Path
        The written files.

    Raises
    ------
    InputError
        If the run has not finished, or the folder is not empty.
    UnavailableError
        If the disk is full, or a package is missing.
    """
    to = to.absolute()
    source = model_folder(store, user_id, run_id)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} already exists and is not empty. Choose a new folder.")
    check_forms(more)
    record = read_record(store, user_id, run_id)
    with new_folder(to) as folder:
        _write(record, source, folder, more)
    return sorted(to.iterdir())


def archive_path(store: Store, user_id: int, run_id: int) -> Path:
    """Return the path of the run's export as a ZIP file, which `build_archive` writes.

    A finished run never changes, so the archive is built once. An archive without ONNX has another
    name, so that it is rebuilt after the missing packages are installed.

    Raises
    ------
    InputError
        If the run has not finished.
    """
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
    model_folder(store, user_id, run_id)
    if run.state != FINISHED or run.finished_at is None:
        raise InputError(_no_model(run_id, run.state))
    stamp = run.finished_at.strftime("%Y%m%d%H%M%S%f")
    whole = store.settings.runs / str(run_id) / "export" / f"{stamp}-{ARCHIVE_VERSION}.zip"
    if whole.exists() or onnx_missing() is None:
        return whole
    return whole.with_stem(f"{whole.stem}-without-onnx")


def build_archive(
    store: Store, user_id: int, run_id: int, on_stage: Callable[[str], None] = lambda stage: None
) -> Path:
    """Build the run's export as a ZIP file, unless it exists already.

    Parameters
    ----------
    store, user_id, run_id
    on_stage
        Called with a short description at the start of each stage.

    Returns
    -------
    Path
        The ZIP file.

    Raises
    ------
    InputError
        If the run has not finished.
    """
    archive = archive_path(store, user_id, run_id)
    if archive.exists():
        return archive
    on_stage("Reading the run")
    record = read_record(store, user_id, run_id)
    archive.parent.mkdir(exist_ok=True)
    with temporary_folder(archive.parent, ".temporary_folder-") as folder:
        on_stage("Writing the files and checking the ONNX model")
        _write(record, model_folder(store, user_id, run_id), folder)
        on_stage("Packing the files")
        with replacing(archive) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out:
            for path in sorted(folder.iterdir()):
                out.write(path, path.name)
    for other in archive.parent.glob("*.zip"):
        if other != archive:  # an older version, or without ONNX
            other.unlink(missing_ok=True)
    return archive


def remove_abandoned_exports(settings: Settings) -> None:
    """Remove old temporary files that interrupted exports left in the data folder."""
    for path in (*settings.runs.glob("*/export/.*"), *settings.home.glob("download-*")):
        if age(path) < ABANDONED_SECONDS:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _write(record: RunRecord, source: Path, to: Path, more: Collection[str] = ()) -> None:
    for name in (WEIGHTS, CONFIG, LABELS):
        shutil.copyfile(source / name, to / name)
    runtimes = "\n\n".join([_onnx(to), *write_forms(record, to, more)])
    write_bytes(to / SCRIPT, STANDALONE.read_bytes())
    write_bytes(to / SELECTION_CSV, _csv(record.selected))
    write_bytes(to / SELECTION_JSON, _json(list(record.selected)))
    rounds = [round_result(row) for row in record.rounds]
    write_bytes(to / PLOT, accuracy_plot(rounds))
    sheet = contact_sheet([record.samples.path_of(p["sha256"]) for p in record.selected[:SHOWN]])
    if sheet is not None:
        write_bytes(to / SHEET, sheet)
    text = model_card(
        record.run.name,
        record.config,
        record.dataset.name,
        record.dataset.attribution,
        record.samples.classes,
        rounds,
        runtimes,
        sheet is not None,
        _adaptation(record, source),
    )
    write_bytes(to / CARD, text.encode())
    write_bytes(to / RECEIPT, _json(make_receipt(record).as_dict(_listing(to))))
    for path in _files(to):
        path.chmod(0o644)  # temporary files are private, but an export may be shared


def _adaptation(record: RunRecord, source: Path) -> str:
    """Describe for the model card whether the model was adapted to images of a target domain."""
    if not record.config.adapt_to:
        return ""
    name = html.escape(record.config.adapt_to)
    if not json.loads((source / CONFIG).read_bytes()).get("target_domain"):
        return f"The model was not adapted to the images of **{name}**; the run's log says why."
    return (
        f"The model was adapted to unlabeled images of **{name}**. A linear boundary decides which "
        "domain an image belongs to. Each domain has its own feature mean and classifier; both are "
        "part of the exported files."
    )


def _onnx(folder: Path) -> str:
    """Write model.onnx and return a description for the model card.

    If the model can't be converted, the export contains no ONNX file.
    """
    from vecaf.export.onnx import export_onnx  # imports torch

    try:
        difference = export_onnx(folder)
    except VecafError as error:
        return f"This export has no `{ONNX}`, so `{SCRIPT}` does not work. {error}"
    return (
        f"The input of `{ONNX}` is a float32 array of images (n, 3, s, s), preprocessed as "
        f"described in `{CONFIG}` and implemented in `{SCRIPT}`. The output is logits. "
        "The file was checked against PyTorch: the largest difference of a logit was "
        f"{difference:.1e}."
    )


def _listing(folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": path.relative_to(folder).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in _files(folder)
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _csv(selected: Sequence[dict[str, Any]]) -> bytes:
    names = sorted({name for image in selected for name in image["scores"]})
    text = io.StringIO()
    plain = ["round", "rank", "sample_id", "file_name", "sha256", "label"]
    writer = csv.writer(text)
    writer.writerow([*plain, *names])
    for image in selected:
        scores = [image["scores"].get(name) for name in names]
        cells = [image[name] for name in plain]
        cells = [guarded(cell) if isinstance(cell, str) else cell for cell in cells]
        writer.writerow([*cells, *scores])
    return text.getvalue().encode()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
