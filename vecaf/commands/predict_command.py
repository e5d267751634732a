"""The command that predicts many images."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vecaf.commands.application import Json, app, open_store
from vecaf.commands.output import ProgressBar, print_result, table
from vecaf.errors import InputError

SHOWN = 20  # images in the printed table
FORMATS = (".csv", ".jsonl")


@app.command()
def predict(
    run: Annotated[int, typer.Argument(help="Number of the run. `runs` lists the numbers.")],
    folder: Annotated[Path, typer.Argument(help="Folder or ZIP file of images.")],
    to: Annotated[
        Path | None,
        typer.Option(help="File to write, ending in .csv or .jsonl. Default: none."),
    ] = None,
    json: Json = False,
) -> None:
    """Classify the images of a folder or ZIP file with the model of a finished run.

    Each image gets a class, a confidence, and its distance from the training data. A file that
    can't be read does not stop the others.
    """
    from vecaf.files import write_bytes
    from vecaf.runs.batch_predict import predict_images
    from vecaf.runs.batch_results import as_csv, as_jsonl, most_unlike_first, read_predictions

    if to is not None and to.suffix.lower() not in FORMATS:
        raise InputError(f"{to} must end in {' or '.join(FORMATS)}.")
    store, user = open_store()
    with tempfile.TemporaryDirectory() as scratch:
        summary = predict_images(store, user, run, folder, Path(scratch), progress=ProgressBar())
        found = read_predictions(Path(scratch))
    if to is not None:
        write_bytes(to, (as_csv if to.suffix.lower() == ".csv" else as_jsonl)(found).encode())
    rows = [
        [one.file, one.label, f"{one.confidence:.1%}", f"{one.distance:.3f}", one.unlike]
        for one in most_unlike_first(found)[:SHOWN]
    ]
    columns = ["file", "class", "confidence", "distance", "outlier"]
    lines = [summary.sentence(), summary.score, table(columns, rows)]
    lines += [f"{one.file}: {one.error}" for one in found if one.error]
    if to is not None:
        lines.append(f"All predictions are in {to}.")
    payload = asdict(summary) | {"predictions": [one.as_dict() for one in found]}
    print_result(payload, "\n".join(line for line in lines if line), json)
