"""Commands on datasets: list, embed, select, and delete."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vecaf.commands.application import DatasetArgument, Json, app, open_store
from vecaf.commands.output import ProgressBar, print_result, table
from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.wording import SPLITS

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.store import Store


@app.command()
def datasets(json: Json = False) -> None:
    """List the datasets."""
    from vecaf.store.datasets import dataset_summaries

    store, user = open_store()
    with store.read() as session:
        summaries = dataset_summaries(session, user)
    rows = [
        [d.name, d.images, d.classes, *(d.splits.get(split, 0) for split in SPLITS)]
        for d in summaries
    ]
    text = table(["name", "images", "classes", *SPLITS.values()], rows)
    listed = [
        {"id": d.id, "name": d.name, "images": d.images, "classes": d.classes, "splits": d.splits}
        for d in summaries
    ]
    empty = "No datasets yet. Import one: python -m vecaf import PATH --name NAME"
    print_result({"datasets": listed}, text or empty, json)


@app.command()
def embed(
    dataset: DatasetArgument,
    model: Annotated[str, typer.Option(help="Vision model.")] = "efficientnet_lite0",
    image_size: Annotated[
        int, typer.Option(min=0, help="Input size in pixels. 0 = automatic.")
    ] = 0,
    json: Json = False,
) -> None:
    """Compute the embeddings of a dataset that are not in the cache yet."""
    from vecaf.encoders.dataset_features import embed_samples, pvm_for

    store, user = open_store()
    config = RunConfig(dataset=dataset, model=model, image_size=image_size).checked()
    samples = load_dataset(store, user, dataset)
    pvm = pvm_for(config, samples)
    bar = ProgressBar().of("Computing embeddings")
    features, computed = embed_samples(pvm, samples, store.settings, bar)
    result = {
        "dataset": dataset,
        "model": model,
        "image_size": pvm.preprocessing.image_size,
        "images": len(features),
        "dimension": features.shape[1],
        "computed": computed,
    }
    text = (
        f"{len(features):,} embeddings with {features.shape[1]} dimensions at "
        f"{pvm.preprocessing.image_size} px: {computed:,} computed now, "
        f"{len(features) - computed:,} from the cache."
    )
    print_result(result, text, json)


@app.command()
def select(
    dataset: DatasetArgument,
    budget: Annotated[
        str,
        typer.Option(help="Images to select: a count (100) or a percentage of the pool (2%)."),
    ],
    strategy: Annotated[str, typer.Option(help="Selection strategy.")] = "vecaf",
    strategy_options: Annotated[
        str,
        typer.Option(help="Options of the strategy, such as 'gamma=0'. See `strategies`."),
    ] = "",
    model: Annotated[str, typer.Option(help="Vision model.")] = "efficientnet_lite0",
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed. The same seed selects the same images.")
    ] = 0,
    after: Annotated[
        int,
        typer.Option(
            help="Finished run to continue from: use its model, and skip images that it selected. "
            "0 = use the pretrained model."
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Select images without training; print their ids, ranks, and scores.

    The images don't need labels.
    """
    from vecaf.runs.recording import MemoryRecorder
    from vecaf.runs.selection_only import select_images
    from vecaf.selection import STRATEGIES
    from vecaf.store import dataset_named
    from vecaf.tasks.select_images import load_base_run

    store, user = open_store()
    config = RunConfig(
        dataset=dataset, strategy=strategy, strategy_options=strategy_options, model=model,
        budget=budget, seed=seed, rounds=1,
    ).checked()  # fmt: skip
    samples = load_dataset(store, user, dataset)
    base_run = None
    if after:
        with store.read() as session:
            dataset_id = dataset_named(session, user, dataset).id
        base_run = load_base_run(store, user, dataset_id, samples, after)
    recorder = MemoryRecorder(on_stage=ProgressBar())
    result = select_images(config, samples, recorder, store.settings, base_run)
    selected = result.selected
    ids = selected.sample_ids.tolist()
    scores = {name: values.tolist() for name, values in selected.scores.items()}
    rows = [
        [rank, sample_id, *(f"{scores[name][rank]:.4g}" for name in scores)]
        for rank, sample_id in enumerate(ids)
    ]
    payload = {
        "dataset": dataset, "strategy": result.strategy, "asked": strategy, "seed": seed,
        "ids": ids, "scores": scores,
    }  # fmt: skip
    text = table(["rank", "id", *scores], rows)
    if result.strategy != strategy:
        why = f"With this budget, {strategy} works like {result.strategy}."
        if STRATEGIES[strategy].info.needs_model:
            why = (
                f"{strategy} needs a trained model (--after RUN), so {result.strategy} selected "
                "the images."
            )
        text = f"{why}\n{text}"
    print_result(payload, text, json)


@app.command()
def delete(
    dataset: DatasetArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without confirmation.")] = False,
    json: Json = False,
) -> None:
    """Delete a dataset with its runs and models. Asks for confirmation first."""
    from vecaf.datasets.deletion import delete_dataset, preview_deletion
    from vecaf.store import dataset_named

    store, user = open_store()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    if not yes:
        if json or not sys.stdin.isatty():
            raise InputError(
                "The command can't ask for confirmation without a terminal or with --json. To "
                "delete without confirmation, pass --yes."
            )
        contents = preview_deletion(store, user, found.id).sentence()
        typer.confirm(f"Delete '{found.name}'? {contents}", abort=True)
    deleted = delete_dataset(store, user, found.id)
    text = f"Deleted '{deleted.name}': {deleted.sentence()}"
    print_result({"dataset": found.id} | deleted.as_dict(), text, json)


def load_dataset(store: Store, user: int, dataset: str) -> Samples:
    """Load the samples of the user's dataset by name. Raises NotFoundError."""
    from vecaf.datasets.pool import load_samples
    from vecaf.store import dataset_named

    with store.read() as session:
        found = dataset_named(session, user, dataset)
        return load_samples(session, found, store.settings.images)
