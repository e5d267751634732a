"""Commands on runs: launch, follow, cancel, resume, evaluate, export, and replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecaf.commands.application import DatasetArgument, Json, app, open_store
from vecaf.commands.config_options import command_with_config
from vecaf.commands.output import ProgressBar, print_result, table
from vecaf.config import RunConfig
from vecaf.errors import VecafError
from vecaf.wording import SPLITS

if TYPE_CHECKING:
    from vecaf.store import Store

RunArgument = Annotated[int, typer.Argument(help="Number of the run. `runs` lists the numbers.")]
CANCEL_RESULT = {
    "running": "is being canceled",
    "canceled": "is canceled",
    "failed": "has already failed",
    "finished": "has already finished",
}
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the run and print its results.")]


@app.command()
def demo(
    strategy: Annotated[str, typer.Option(help="Selection strategy.")] = "vecaf",
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed. The same seed selects the same images.")
    ] = 0,
    json: Json = False,
) -> None:
    """Import the demo dataset, do a small run on it, and print the results."""
    from vecaf.datasets import import_demo
    from vecaf.engine.queue import submit_run
    from vecaf.runs.demo_run import COLOR, CONFIG
    from vecaf.store.datasets import dataset_exists

    store, user = open_store()
    with store.read() as session:
        exists = dataset_exists(session, user, COLOR)
    if not exists:
        import_demo(store, "color", COLOR, user_id=user, progress=ProgressBar())
    run_id = submit_run(store, replace(CONFIG, strategy=strategy, seed=seed), user)
    _wait_for(store, user, run_id, json)


def run(dataset: str, wait: bool, json: bool, **options: Any) -> None:
    """Queue a run on a dataset. With --wait, wait for it and print its results."""
    from vecaf.engine.queue import submit_run

    store, user = open_store()
    config = RunConfig(dataset=dataset, **options).checked()
    run_id = submit_run(store, config, user)
    if wait:
        _wait_for(store, user, run_id, json)
    else:
        text = (
            f"Run {run_id} is queued. A worker executes it. The studio includes a worker; without "
            "the studio, start one with `python -m vecaf worker`."
        )
        print_result({"run": run_id, "state": "queued"}, text, json)


app.command("run")(
    command_with_config(
        RunConfig, run, arguments={"dataset": DatasetArgument}, flags={"wait": Wait, "json": Json}
    )
)


@app.command()
def runs(json: Json = False) -> None:
    """List the runs, newest first."""
    from vecaf.evaluation.metrics import describe_metrics
    from vecaf.store import TEST
    from vecaf.store.records import as_json
    from vecaf.store.runs import list_runs

    shown = describe_metrics()
    store, user = open_store()
    with store.read() as session:
        records = list_runs(session, user, limit=None)
    rows = [
        [
            run.id, run.state, run.dataset, run.strategy, f"{run.rounds_done}/{run.rounds}",
            *(info.text(run.metrics[TEST].get(info.name), decimals=2) for info in shown),
        ]
        for run in records
    ]  # fmt: skip
    names = [f"test {info.label}" for info in shown]
    text = table(["run", "state", "dataset", "strategy", "rounds", *names], rows)
    empty = "No runs yet. Start one: python -m vecaf run DATASET"
    print_result({"runs": [as_json(run) for run in records]}, text or empty, json)


@app.command()
def cancel(run: RunArgument, json: Json = False) -> None:
    """Cancel a run. It keeps its finished rounds, and you can resume it."""
    from vecaf.engine.queue import cancel_run

    store, user = open_store()
    state = cancel_run(store, run, user)
    text = f"Run {run} {CANCEL_RESULT[state]}."
    print_result({"run": run, "state": state}, text, json)


@app.command()
def resume(run: RunArgument, wait: Wait = False, json: Json = False) -> None:
    """Resume a canceled or failed run from its last checkpoint."""
    from vecaf.engine.queue import resume_run

    store, user = open_store()
    resume_run(store, run, user)
    if wait:
        _wait_for(store, user, run, json)
    else:
        print_result({"run": run, "state": "queued"}, f"Run {run} is queued again.", json)


@app.command()
def evaluate(
    run: RunArgument,
    on: Annotated[
        str,
        typer.Option(help="Another dataset with the same classes. Default: that of the run."),
    ] = "",
    split: Annotated[
        str,
        typer.Option(help="train, val, test, or all. Default: test, or all for another dataset."),
    ] = "",
    json: Json = False,
) -> None:
    """Evaluate the model of a finished run on a dataset."""
    from vecaf.evaluation.metrics import describe_metrics
    from vecaf.runs.evaluate import evaluate_run

    store, user = open_store()
    progress = ProgressBar().of("Evaluating")
    dataset, split, result = evaluate_run(store, user, run, on, split, progress=progress)
    worst_first = sorted(result.class_accuracy.items(), key=lambda item: item[1])
    lines = [
        f"{result.images:,} images of '{dataset}' ({split}):",
        *(
            f"{info.label} {info.text(result.metrics[info.name], decimals=2)}"
            for info in describe_metrics()
        ),
        table(["class", "accuracy"], [[name, f"{share:.2%}"] for name, share in worst_first]),
    ]
    payload = {"run": run, "dataset": dataset, "split": split} | result.as_dict()
    print_result(payload, "\n".join(lines), json)


@app.command()
def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option(help="New folder to write to.")],
    timm: Annotated[
        bool, typer.Option("--timm", help="Also write a folder that timm.create_model loads.")
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Also write the model in 8-bit integers for OpenVINO, and measure its accuracy "
            "and speed.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Export the model, labels, model card, selection, and receipt of a finished run."""
    from vecaf.export.bundle import export_run

    store, user = open_store()
    more = [name for name, wanted in (("timm", timm), ("int8", int8)) if wanted]
    names = [path.name for path in export_run(store, user, run, to, more)]
    text = f"Exported run {run} to {to}: {', '.join(names)}."
    print_result({"run": run, "folder": str(to), "files": names}, text, json)


@app.command()
def replay(
    receipt: Annotated[Path, typer.Argument(help="receipt.json from an export.")],
    json: Json = False,
) -> None:
    """Repeat a selection from its receipt and compare. The exit status is 1 if they differ."""
    from vecaf.export.receipt import read_receipt
    from vecaf.runs.replay import replay as repeat

    recorded = read_receipt(receipt)
    store, user = open_store()
    result = repeat(store, user, recorded, ProgressBar())
    print_result(result.as_dict(), "\n".join(result.sentences()), json)
    if not result.matches:
        raise typer.Exit(1)


def _wait_for(store: Store, user: int, run_id: int, json: bool) -> None:
    """Wait for a run and print its results. Raises VecafError with the run's error if it failed."""
    from vecaf.engine.waiting import wait_for_run
    from vecaf.evaluation.metrics import describe_metrics
    from vecaf.store import FAILED, FINISHED, TEST, VAL
    from vecaf.store.records import as_json
    from vecaf.store.runs import run_details

    bar = ProgressBar()
    wait_for_run(store, user, run_id, lambda run: bar(run.stage or run.state, run.done, run.total))
    with store.read() as session:
        run = run_details(session, user, run_id)
    if run.state == FAILED:
        raise VecafError(run.error or f"Run {run_id} failed.")
    columns = [(split, info) for info in describe_metrics() for split in (VAL, TEST)]
    rows = [
        [
            r.number, r.labeled, r.batches,
            *(info.text(r.metrics[split].get(info.name)) for split, info in columns),
        ]
        for r in run.results
    ]  # fmt: skip
    names = [f"{SPLITS[split]} {info.label}" for split, info in columns]
    headers = ["round", "labeled", "batches", *names]
    print_result(as_json(run), f"Run {run_id} is {run.state}.\n{table(headers, rows)}", json)
    if run.state != FINISHED:
        raise typer.Exit(1)
