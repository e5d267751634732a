"""`python -m vecaf …`: every command, its help, and what it prints.

Commands open the store, ask a room to do the work, and print its result: a sentence or a table,
or with --json one JSON object. Exit status: 0 done, 2 bad usage or input, 1 failure.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecaf.config import RunConfig
from vecaf.errors import CanceledError, InputError, VecafError
from vecaf.options import with_options_of
from vecaf.settings import Settings
from vecaf.terminal import Bar, complain, show, table

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.store import Store
    from vecaf.store.runs import RunSummary

app = typer.Typer(
    help="Finetune a pretrained vision model on the few images that matter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ClickException: Any = typer.BadParameter.__mro__[2]  # Typer carries a Click of its own

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DatasetArgument = Annotated[str, typer.Argument(help="The dataset's name.")]
RunArgument = Annotated[int, typer.Argument(help="The run's number, as `runs` lists it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the run until it has ended.")]


@app.command()
def demo(
    strategy: Annotated[str, typer.Option(help="How images are selected.")] = "vecaf",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same picks.")] = 0,
    json: Json = False,
) -> None:
    """Import the demo and do a small run on it, here and now; print what it reached."""
    from vecaf.datasets import import_demo
    from vecaf.demo import COLOR, CONFIG
    from vecaf.jobs.queue import submit_run
    from vecaf.store.datasets import dataset_exists

    store, user = _open()
    with store.read() as session:
        there = dataset_exists(session, user, COLOR)
    if not there:
        import_demo(store, "color", COLOR, user_id=user, progress=Bar())
    run_id = submit_run(store, replace(CONFIG, strategy=strategy, seed=seed), user)
    _wait_for(store, user, run_id, json)


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

    store, user = _open()
    report = import_source(store, source, name, user_id=user, progress=Bar())
    show(report.as_dict(), report.as_text(), json)


@app.command()
def delete(
    dataset: DatasetArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Delete a dataset with its runs and models; says what goes, and asks first."""
    from vecaf.datasets.removing import delete_dataset, what_goes
    from vecaf.store import dataset_named

    store, user = _open()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    if not yes:
        if json or not sys.stdin.isatty():
            raise InputError("Nobody is there to be asked: give --yes.")
        goes = what_goes(store, user, found.id).sentence()
        typer.confirm(f"Delete '{found.name}'? {goes}", abort=True)
    gone = delete_dataset(store, user, found.id)
    show({"dataset": found.id} | gone.as_dict(), f"Deleted '{gone.name}': {gone.sentence()}", json)


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

    store, user = _open()
    with store.read() as session:
        found = dataset_named(session, user, dataset)
    kind = cast(Format, format)
    count = export_dataset(store, user, found.id, to, kind, Bar().of("exporting"))
    result = {"dataset": found.id, "to": str(to), "images": count}
    show(result, f"{count:,} images of '{found.name}' are in {to}.", json)


@app.command()
def datasets(json: Json = False) -> None:
    """List the datasets."""
    from vecaf.store.datasets import dataset_summaries

    store, user = _open()
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
def runs(json: Json = False) -> None:
    """List the runs, newest first."""
    from vecaf.store.runs import list_runs

    store, user = _open()
    with store.read() as session:
        found = list_runs(session, user)
    rows = [
        [r.id, r.state, r.dataset, r.strategy, f"{r.rounds_done}/{r.rounds}", _share(r)]
        for r in found
    ]
    text = table(["run", "state", "dataset", "strategy", "rounds", "test accuracy"], rows)
    listed = [_run_as_dict(r) for r in found]
    show({"runs": listed}, text or "No runs yet: python -m vecaf run …", json)


@app.command()
def strategies(json: Json = False) -> None:
    """List the selection strategies, the tracks they serve and what they need."""
    from vecaf.selection import describe

    found = describe()
    text = table(
        ["name", "tracks", "what it does"],
        [[s.name, ", ".join(s.tracks), s.description] for s in found],
    )
    listed = [
        {
            "name": s.name,
            "description": s.description,
            "paper": s.paper,
            "tracks": list(s.tracks),
            "required": list(s.required),
            "optional": list(s.optional),
        }
        for s in found
    ]
    show({"strategies": listed}, text, json)


@app.command()
def models(json: Json = False) -> None:
    """List the embedded models; any timm or open_clip name works as well."""
    from vecaf.encoders import list_models

    found = list_models()
    text = table(["name", "kind", "what it is"], [[m.name, m.kind, m.description] for m in found])
    more = "Besides these: any timm name (PVM) or open_clip NAME/PRETRAINED (VLM)."
    show({"models": [vars(m) for m in found]}, f"{text}\n{more}", json)


@app.command()
def embed(
    dataset: DatasetArgument,
    model: Annotated[str, typer.Option(help="The vision model.")] = "efficientnet_lite0",
    image_size: Annotated[int, typer.Option(min=0, help="Pixels; 0 chooses.")] = 0,
    json: Json = False,
) -> None:
    """Compute a dataset's embeddings, those that are not in the cache yet."""
    from vecaf.preparation import embed_samples, pvm_for

    store, user = _open()
    config = RunConfig(dataset=dataset, model=model, image_size=image_size).checked()
    samples = _samples(store, user, dataset)
    pvm = pvm_for(config, samples)
    features, computed = embed_samples(pvm, samples, store.settings, Bar().of("embedding"))
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
    model: Annotated[str, typer.Option(help="The vision model.")] = "efficientnet_lite0",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same picks.")] = 0,
    after: Annotated[int, typer.Option(help="Go on from this run's model and picks.")] = 0,
    json: Json = False,
) -> None:
    """Pick images without training, labelled or not: ids, ranks and score parts."""
    from vecaf.choosing import choose
    from vecaf.recording import MemoryRecorder
    from vecaf.store import dataset_named
    from vecaf.tasks.selecting import basis_of

    store, user = _open()
    config = RunConfig(
        dataset=dataset, strategy=strategy, model=model, budget=budget, seed=seed, rounds=1
    ).checked()
    samples = _samples(store, user, dataset)
    basis = None
    if after:
        with store.read() as session:
            dataset_id = dataset_named(session, user, dataset).id
        basis = basis_of(store, user, dataset_id, samples, after)
    recorder = MemoryRecorder(on_stage=Bar())
    picks = choose(config, samples, recorder, store.settings, basis).picks
    ids = picks.sample_ids.tolist()
    scores = {name: values.tolist() for name, values in picks.scores.items()}
    rows = [
        [rank, sample_id, *(f"{scores[name][rank]:.4g}" for name in scores)]
        for rank, sample_id in enumerate(ids)
    ]
    result = {"dataset": dataset, "strategy": strategy, "seed": seed, "ids": ids, "scores": scores}
    show(result, table(["rank", "id", *scores], rows), json)


def run(dataset: str, wait: bool, json: bool, **options: Any) -> None:
    """Queue a run; with --wait follow it to its end."""
    from vecaf.jobs.queue import submit_run

    store, user = _open()
    config = RunConfig(dataset=dataset, **options).checked()
    run_id = submit_run(store, config, user)
    if wait:
        _wait_for(store, user, run_id, json)
    else:
        text = f"Run {run_id} is queued. A worker takes it up: the studio's, or the command worker."
        show({"run": run_id, "state": "queued"}, text, json)


@app.command()
def cancel(run: RunArgument, json: Json = False) -> None:
    """Stop a run; what is finished is kept, and it can be resumed."""
    from vecaf.jobs.queue import cancel_run

    store, user = _open()
    state = cancel_run(store, run, user)
    text = f"Run {run} is {'being canceled' if state == 'running' else state}."
    show({"run": run, "state": state}, text, json)


@app.command()
def resume(run: RunArgument, wait: Wait = False, json: Json = False) -> None:
    """Go on with a canceled or failed run from its last checkpoint."""
    from vecaf.jobs.queue import resume_run

    store, user = _open()
    resume_run(store, run, user)
    if wait:
        _wait_for(store, user, run, json)
    else:
        show({"run": run, "state": "queued"}, f"Run {run} is queued again.", json)


@app.command()
def evaluate(
    run: RunArgument,
    on: Annotated[str, typer.Option(help="Another dataset of the same classes.")] = "",
    split: Annotated[
        str, typer.Option(help="train, val, test or all [test; all for another dataset]")
    ] = "",
    json: Json = False,
) -> None:
    """Evaluate a finished run's model, from its exported files, on its test split or elsewhere."""
    from vecaf.evaluation.runs import evaluate_run

    store, user = _open()
    where, split, result = evaluate_run(
        store, user, run, on, split, progress=Bar().of("evaluating")
    )
    worst = sorted(result.class_accuracy.items(), key=lambda item: item[1])
    lines = [
        f"Accuracy {result.accuracy:.2%} on {result.images:,} images of '{where}' ({split}); "
        f"calibration error {result.calibration_error:.3f}.",
        table(["class", "accuracy"], [[name, f"{share:.2%}"] for name, share in worst]),
    ]
    payload = {"run": run, "dataset": where, "split": split} | result.as_dict()
    show(payload, "\n".join(lines), json)


@app.command()
def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option(help="A new folder.")],
    json: Json = False,
) -> None:
    """Write a finished run's model, labels, card, picks and receipt to a folder."""
    from vecaf.export import export_run

    store, user = _open()
    files = export_run(store, user, run, to)
    text = f"Run {run} is in {to}: {', '.join(path.name for path in files)}."
    show({"run": run, "folder": str(to), "files": [path.name for path in files]}, text, json)


@app.command()
def replay(
    receipt: Annotated[Path, typer.Argument(help="The receipt.json of an export.")],
    json: Json = False,
) -> None:
    """Repeat a selection from its receipt and say whether it matches; exit status 1 if not."""
    from vecaf.receipt import read_receipt
    from vecaf.replay import replay as repeat

    told = read_receipt(receipt)
    store, user = _open()
    found = repeat(store, user, told, Bar())
    show(found.as_dict(), "\n".join(found.sentences()), json)
    if not found.matches:
        raise typer.Exit(1)


@app.command()
def worker(json: Json = False) -> None:
    """Run a worker alone, until Ctrl-C. The studio (python -m app) starts its own."""
    import logging

    from vecaf.jobs.worker import main as work

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    work(Settings.from_environment())


@app.command()
def doctor(json: Json = False) -> None:
    """Check the installation, the models, the database and the device; say what to do."""
    from vecaf.doctor import examine

    findings = list(examine(Settings.from_environment()))
    lines = [f"{'ok ' if f.ok else 'BAD'}  {f.subject}: {f.finding}" for f in findings]
    sound = all(f.ok for f in findings)
    show({"ok": sound, "findings": [vars(f) for f in findings]}, "\n".join(lines), json)
    if not sound:
        raise typer.Exit(1)


def _open() -> tuple[Store, int]:
    """The store and whose commands these are: the local owner's."""
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    return store, store.owner()


def _samples(store: Store, user: int, dataset: str) -> Samples:
    from vecaf.datasets.pool import load_samples
    from vecaf.store import dataset_named

    with store.read() as session:
        found = dataset_named(session, user, dataset)
        return load_samples(session, found, store.settings.images)


def _wait_for(store: Store, user: int, run_id: int, json: bool) -> None:
    """Follow a run and print its rounds; a failed run raises VecafError with its own sentence."""
    from vecaf.jobs.follow import follow
    from vecaf.recording import percent
    from vecaf.store import FAILED, FINISHED
    from vecaf.store.runs import rounds_of

    bar = Bar()
    ended = follow(store, user, run_id, lambda r: bar(r.stage or r.state, r.done, r.total))
    if ended.state == FAILED:
        raise VecafError(ended.error or f"Run {run_id} failed.")
    with store.read() as session:
        rounds = rounds_of(session, user, run_id)
    kept = ("labeled", "batches", "val_accuracy", "test_accuracy", "seconds")
    listed = [{"round": r.number} | {name: getattr(r, name) for name in kept} for r in rounds]
    rows = [
        [r.number, r.labeled, r.batches, percent(r.val_accuracy), percent(r.test_accuracy)]
        for r in rounds
    ]
    heads = ["round", "labelled", "batches", "val accuracy", "test accuracy"]
    text = f"Run {run_id} is {ended.state}.\n{table(heads, rows)}"
    show(_run_as_dict(ended) | {"rounds": listed}, text, json)
    if ended.state != FINISHED:
        raise typer.Exit(1)


def _run_as_dict(run: RunSummary) -> dict[str, Any]:
    kept = ("name", "dataset", "strategy", "state", "rounds_done", "val_accuracy", "test_accuracy")
    return {"run": run.id, **{name: getattr(run, name) for name in kept}, "error": run.error}


def _share(run: RunSummary) -> str:
    return "" if run.test_accuracy is None else f"{run.test_accuracy:.2%}"


app.command("run")(
    with_options_of(
        RunConfig, run, arguments={"dataset": DatasetArgument}, flags={"wait": Wait, "json": Json}
    )
)


def main() -> None:
    """Run the command line; errors of ours become a sentence and an exit status."""
    as_json = "--json" in sys.argv
    try:
        status = app(standalone_mode=False)
    except ClickException as error:
        complain(error.format_message(), as_json)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt, CanceledError):
        complain("Stopped.", as_json)
        sys.exit(1)
    except VecafError as error:
        complain(str(error), as_json)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(status if isinstance(status, int) else 0)
