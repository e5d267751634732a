"""Commands on datasets: bringing one in, looking at it, picking from it, taking it out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vecaf.commands.shared import DatasetArgument, Json, app, opened
from vecaf.commands.terminal import Bar, show, table
from vecaf.config import RunConfig
from vecaf.errors import InputError

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.store import Store


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(help="A ZIP file, a folder of images, or torchvision:CIFAR10.")
    ],
    name: Annotated[str, typer.Option(help="What to call the dataset.")],
    json: Json = False,
) -> None:
    """Import a ZIP file, a folder or a public dataset, and print the report file by file."""
    from vecaf.datasets import import_source

    store, user = opened()
    report = import_source(store, source, name, user_id=user, progress=Bar())
    show(report.as_dict(), report.as_text(), json)


@app.command()
def datasets(json: Json = False) -> None:
    """List the datasets."""
    from vecaf.store.datasets import dataset_summaries

    store, user = opened()
    with store.read() as session:
        found = dataset_summaries(session, user)
    rows = [
        [d.name, d.images, d.classes, *(d.splits.get(s, 0) for s in ("train", "val", "test"))]
        for d in found
    ]
    text = table(["name", "images", "classes", "train", "val", "test"], rows)
    listed = [
        {"id": d.id, "name": d.name, "images": d.images, "classes": d.classes, "splits": d.splits}
        for d in found
    ]
    show({"datasets": listed}, text or "No datasets yet: python -m vecaf import …", json)


@app.command()
def embed(
    dataset: DatasetArgument,
    model: Annotated[str, typer.Option(help="The vision model.")] = "efficientnet_lite0",
    image_size: Annotated[int, typer.Option(min=0, help="Pixels; 0 chooses.")] = 0,
    parts: Annotated[
        int, typer.Option(min=0, help="Queue so many parts for all workers, and wait for them.")
    ] = 0,
    json: Json = False,
) -> None:
    """Compute a dataset's embeddings, those that are not in the cache yet."""
    from vecaf.encoders.dataset_features import embed_samples, pvm_for
    from vecaf.encoders.embed import count_missing
    from vecaf.engine.embedding_parts import embed_in_parts
    from vecaf.engine.follow import some_worker
    from vecaf.store import dataset_named

    store, user = opened()
    config = RunConfig(dataset=dataset, model=model, image_size=image_size).checked()
    samples = samples_of(store, user, dataset)
    pvm = pvm_for(config, samples)
    bar, shared = Bar().of("embedding"), 0
    if parts:
        shared = count_missing(pvm, samples.keys, store.settings)
        with store.read() as session:
            dataset_id = dataset_named(session, user, dataset).id
        with some_worker(store) as ensure:
            ensure()
            embed_in_parts(
                store, user, dataset_id, len(samples), model=model, image_size=image_size,
                parts=parts, progress=bar, should_stop=lambda: False,
            )  # fmt: skip
    features, computed = embed_samples(pvm, samples, store.settings, bar)
    computed += shared
    result = {
        "dataset": dataset,
        "model": model,
        "image_size": pvm.preprocessing.image_size,
        "images": len(features),
        "dimension": features.shape[1],
        "computed": computed,
    }
    text = (
        f"{len(features):,} embeddings of {features.shape[1]} dimensions at "
        f"{pvm.preprocessing.image_size} px, {computed:,} of them new."
    )
    show(result, text, json)


@app.command()
def select(
    dataset: DatasetArgument,
    budget: Annotated[str, typer.Option(help="A count (100) or a share (2%).")],
    strategy: Annotated[str, typer.Option(help="How images are selected.")] = "vecaf",
    strategy_options: Annotated[str, typer.Option(help="Its own, such as 'gamma=0'.")] = "",
    model: Annotated[str, typer.Option(help="The vision model.")] = "efficientnet_lite0",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same picks.")] = 0,
    after: Annotated[int, typer.Option(help="Go on from this run's model and picks.")] = 0,
    json: Json = False,
) -> None:
    """Pick images without training, labelled or not: ids, ranks and score parts."""
    from vecaf.runs.recording import MemoryRecorder
    from vecaf.runs.select_now import choose
    from vecaf.store import dataset_named
    from vecaf.tasks.select_images import basis_of

    store, user = opened()
    config = RunConfig(
        dataset=dataset, strategy=strategy, strategy_options=strategy_options, model=model,
        budget=budget, seed=seed, rounds=1,
    ).checked()  # fmt: skip
    samples = samples_of(store, user, dataset)
    basis = None
    if after:
        with store.read() as session:
            dataset_id = dataset_named(session, user, dataset).id
        basis = basis_of(store, user, dataset_id, samples, after)
    recorder = MemoryRecorder(on_stage=Bar())
    choice = choose(config, samples, recorder, store.settings, basis)
    picks = choice.picks
    ids = picks.sample_ids.tolist()
    scores = {name: values.tolist() for name, values in picks.scores.items()}
    rows = [
        [rank, sample_id, *(f"{scores[name][rank]:.4g}" for name in scores)]
        for rank, sample_id in enumerate(ids)
    ]
    result = {
        "dataset": dataset, "strategy": choice.strategy, "asked": strategy, "seed": seed,
        "ids": ids, "scores": scores,
    }  # fmt: skip
    text = table(["rank", "id", *scores], rows)
    if choice.strategy != strategy:
        text = f"{strategy} needs a trained model (--after), so {choice.strategy} picked.\n{text}"
    show(result, text, json)


@app.command("export-dataset")
def export_dataset_(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option(help="A new file that ends in .zip, or a new folder.")],
    format: Annotated[str, typer.Option(help="Of the metadata: csv or jsonl.")] = "csv",
    json: Json = False,
) -> None:
    """Write a dataset's images, labels and captions in imagefolder form."""
    from typing import cast

    from vecaf.datasets.exporting import Format, export_dataset
    from vecaf.store import dataset_named

    store, user = opened()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    kind = cast(Format, format)
    images, missing = export_dataset(store, user, found.id, to, kind, Bar().of("exporting"))
    result = {"dataset": found.id, "to": str(to), "images": images, "missing": missing}
    text = f"{images:,} images of '{found.name}' are in {to}."
    if missing:
        text += f" The files of {missing:,} more are missing; missing.csv lists them."
    show(result, text, json)


@app.command()
def delete(
    dataset: DatasetArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Delete a dataset with its runs and models; says what goes, and asks first."""
    from vecaf.datasets.deletion import delete_dataset, preview_deletion
    from vecaf.store import dataset_named

    store, user = opened()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    if not yes:
        if json or not sys.stdin.isatty():
            raise InputError("Nobody is there to be asked: give --yes.")
        goes = preview_deletion(store, user, found.id).sentence()
        typer.confirm(f"Delete '{found.name}'? {goes}", abort=True)
    gone = delete_dataset(store, user, found.id)
    show({"dataset": found.id} | gone.as_dict(), f"Deleted '{gone.name}': {gone.sentence()}", json)


def samples_of(store: Store, user: int, dataset: str) -> Samples:
    from vecaf.datasets.pool import load_samples
    from vecaf.store import dataset_named

    with store.read() as session:
        found = dataset_named(session, user, dataset)
        return load_samples(session, found, store.settings.images)
