"""Commands on runs: launching, following, stopping, judging and taking away what they made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecaf.commands.options import with_options_of
from vecaf.commands.shared import DatasetArgument, Json, app, opened
from vecaf.commands.terminal import Bar, show, table
from vecaf.config import RunConfig
from vecaf.errors import VecafError

if TYPE_CHECKING:
    from vecaf.store import Store
    from vecaf.store.runs import RunSummary

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
    from vecaf.engine.queue import submit_run
    from vecaf.runs.demo_run import COLOR, CONFIG
    from vecaf.store.datasets import dataset_exists

    store, user = opened()
    with store.read() as session:
        there = dataset_exists(session, user, COLOR)
    if not there:
        import_demo(store, "color", COLOR, user_id=user, progress=Bar())
    run_id = submit_run(store, replace(CONFIG, strategy=strategy, seed=seed), user)
    _wait_for(store, user, run_id, json)


def run(dataset: str, wait: bool, json: bool, **options: Any) -> None:
    """Queue a run; with --wait follow it to its end."""
    from vecaf.engine.queue import submit_run

    store, user = opened()
    config = RunConfig(dataset=dataset, **options).checked()
    run_id = submit_run(store, config, user)
    if wait:
        _wait_for(store, user, run_id, json)
    else:
        text = f"Run {run_id} is queued. A worker takes it up: the studio's, or the command worker."
        show({"run": run_id, "state": "queued"}, text, json)


app.command("run")(
    with_options_of(
        RunConfig, run, arguments={"dataset": DatasetArgument}, flags={"wait": Wait, "json": Json}
    )
)


@app.command()
def runs(json: Json = False) -> None:
    """List the runs, newest first."""
    from vecaf.store.runs import list_runs

    store, user = opened()
    with store.read() as session:
        found = list_runs(session, user, limit=None)
    rows = [
        [r.id, r.state, r.dataset, r.strategy, f"{r.rounds_done}/{r.rounds}", _share(r)]
        for r in found
    ]
    text = table(["run", "state", "dataset", "strategy", "rounds", "test accuracy"], rows)
    listed = [_run_as_dict(r) for r in found]
    show({"runs": listed}, text or "No runs yet: python -m vecaf run …", json)


@app.command()
def cancel(run: RunArgument, json: Json = False) -> None:
    """Stop a run; what is finished is kept, and it can be resumed."""
    from vecaf.engine.queue import cancel_run

    store, user = opened()
    state = cancel_run(store, run, user)
    text = f"Run {run} is {'being canceled' if state == 'running' else state}."
    show({"run": run, "state": state}, text, json)


@app.command()
def resume(run: RunArgument, wait: Wait = False, json: Json = False) -> None:
    """Go on with a canceled or failed run from its last checkpoint."""
    from vecaf.engine.queue import resume_run

    store, user = opened()
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
    from vecaf.runs.evaluate import evaluate_run

    store, user = opened()
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
    from vecaf.export.bundle import export_run

    store, user = opened()
    files = export_run(store, user, run, to)
    text = f"Run {run} is in {to}: {', '.join(path.name for path in files)}."
    show({"run": run, "folder": str(to), "files": [path.name for path in files]}, text, json)


@app.command()
def replay(
    receipt: Annotated[Path, typer.Argument(help="The receipt.json of an export.")],
    json: Json = False,
) -> None:
    """Repeat a selection from its receipt and say whether it matches; exit status 1 if not."""
    from vecaf.export.receipt import read_receipt
    from vecaf.runs.replay import replay as repeat

    told = read_receipt(receipt)
    store, user = opened()
    found = repeat(store, user, told, Bar())
    show(found.as_dict(), "\n".join(found.sentences()), json)
    if not found.matches:
        raise typer.Exit(1)


def _wait_for(store: Store, user: int, run_id: int, json: bool) -> None:
    """Follow a run and print its rounds; a failed run raises VecafError with its own sentence."""
    from vecaf.engine.follow import follow
    from vecaf.store import FAILED, FINISHED
    from vecaf.store.runs import rounds_of
    from vecaf.wording import percent

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
