"""Commands that exchange datasets with other programs: import and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vecaf.commands.application import DatasetArgument, Json, app, open_store
from vecaf.commands.output import ProgressBar, print_result
from vecaf.wording import plural


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="ZIP file, folder, data file such as data.parquet, remote folder such as "
            "s3://bucket/photos, or public dataset such as torchvision:CIFAR10."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name for the new dataset.")],
    format: Annotated[
        str,
        typer.Option(
            help="Format of the source: imagefolder, table, huggingface, webdataset, coco, "
            "fiftyone or label-studio. Default: detected."
        ),
    ] = "",
    file_column: Annotated[
        str,
        typer.Option(
            help="Column with the images. Default: detected by its name, such as file_name."
        ),
    ] = "",
    label_column: Annotated[
        str,
        typer.Option(help="Column with the labels. Default: detected by its name, such as label."),
    ] = "",
    caption_column: Annotated[
        str,
        typer.Option(help="Column with the captions. Default: detected by its name, such as text."),
    ] = "",
    fetch_urls: Annotated[
        bool, typer.Option("--fetch-urls", help="Download images that a table names by URL.")
    ] = False,
    json: Json = False,
) -> None:
    """Import a dataset and print a report on the files."""
    from vecaf.datasets import import_source
    from vecaf.datasets.columns import Columns
    from vecaf.datasets.formats import ImportOptions
    from vecaf.store.background import queue_embedding
    from vecaf.store.workers import worker_alive

    store, user = open_store()
    columns = Columns(file_column, label_column, caption_column)
    options = ImportOptions(format, columns, fetch_urls)
    report = import_source(
        store, source, name, user_id=user, progress=ProgressBar(), options=options
    )
    if store.settings.embed_on_import:
        with store.write(exclusive=False) as session:
            if worker_alive(session):
                queue_embedding(session, report.dataset_id)
    print_result(report.as_dict(), report.as_text(), json)


@app.command("export-dataset")
def export_dataset_(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option(help="New folder, or a new file whose name ends in .zip.")],
    format: Annotated[
        str,
        typer.Option(
            help="csv or jsonl (folders and a metadata file), imagefolder or parquet (Hugging "
            "Face), webdataset, coco, fiftyone or label-studio."
        ),
    ] = "csv",
    json: Json = False,
) -> None:
    """Export the images, labels, and captions of a dataset."""
    from vecaf.datasets.exporting import export_dataset
    from vecaf.store import dataset_named

    store, user = open_store()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    bar = ProgressBar().of("Exporting images")
    images, missing = export_dataset(store, user, found.id, to, format, bar)
    result = {"dataset": found.id, "to": str(to), "images": images, "missing": missing}
    text = f"Exported {plural(images, 'image')} of '{found.name}' to {to}."
    if missing:
        text += f" Missing files: {missing:,} (see missing.csv)."
    print_result(result, text, json)


@app.command("import-labels")
def import_labels(
    dataset: DatasetArgument,
    path: Annotated[Path, typer.Argument(help="JSON export of a Label Studio project.")],
    json: Json = False,
) -> None:
    """Set the labels of a dataset from a Label Studio project.

    Create the project from the Label Studio export of the dataset.
    """
    from vecaf.datasets.returned_labels import apply_label_studio
    from vecaf.store import dataset_named

    store, user = open_store()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    labeled, skipped = apply_label_studio(store, user, found.id, path.read_bytes(), path.name)
    result = {"dataset": found.id, "labeled": labeled, "skipped": skipped}
    text = f"Set {plural(labeled, 'label')} of '{found.name}' from {path.name}."
    if skipped:
        text += f" Tasks without a label: {skipped:,}."
    print_result(result, text, json)
