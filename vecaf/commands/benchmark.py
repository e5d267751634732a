"""The command that compares strategies: every cell a run, tables and plots at the end."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vecaf.commands.data import samples_of
from vecaf.commands.options import with_options_of
from vecaf.commands.shared import app, opened
from vecaf.commands.terminal import Bar, show
from vecaf.config import RunConfig

STRATEGIES = "random,kmeans,activeft,vecaf"
BUDGETS = "1%,2%,5%"


def benchmark(
    datasets: list[str],
    strategies: str,
    budgets: str,
    seeds: int,
    against: str,
    full_epochs: int,
    pool: int,
    workers: int,
    to: Path | None,
    json: bool,
    **options: Any,
) -> None:
    """Compare strategies: every dataset, budget and seed a run; tables and plots at the end.

    What is finished is kept as it comes, and the same command goes on from there.
    """
    from vecaf.benchmarking.cells import Grid
    from vecaf.benchmarking.report import as_dict, write_report
    from vecaf.benchmarking.results import Shelf, key_of
    from vecaf.benchmarking.running import default_workers, measure_all, plan_tasks
    from vecaf.benchmarking.sections import sections

    grid = Grid.of(
        datasets, strategies, budgets, seeds, RunConfig(**options), pool=pool, against=against,
        full_epochs=full_epochs,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left behind
    store, user = opened()
    tasks = plan_tasks(grid, lambda name: samples_of(store, user, name), store.settings)
    root = to or store.settings.home / "benchmarks"
    shelf = Shelf(root / "cells")
    crew = workers or default_workers(grid.base, store.settings)
    results = measure_all(tasks, shelf, store.settings, crew, Bar())
    folder = to or root / key_of([facts for task in tasks for _, facts in task.jobs])
    text, files = write_report(folder, grid, results, _command())
    payload = as_dict(grid, sections(grid, results), results)
    payload |= {"folder": str(folder), "files": [path.name for path in files]}
    show(payload, f"{text}\nTables, plots and cells: {folder}", json)


def _command() -> str:
    """What was typed, as a line that can be typed again; without where results went."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--to":
            next(words, None)
        elif word != "--json" and not word.startswith("--to="):
            kept.append(word)
    return shlex.join(["python", "-m", "vecaf", *kept])


app.command("benchmark")(
    with_options_of(
        RunConfig,
        benchmark,
        arguments={
            "datasets": Annotated[list[str], typer.Argument(help="One or more datasets' names.")]
        },
        flags={"json": Annotated[bool, typer.Option("--json", help="Print one JSON object.")]},
        without=("dataset", "strategy", "strategy_options", "budget", "seed", "subset"),
        options={
            "strategies": (
                Annotated[
                    str,
                    typer.Option(
                        help="Names, parted by commas; 'full' trains on the whole pool, and is "
                        "there by itself in the labels-known track."
                    ),
                ],
                STRATEGIES,
            ),
            "budgets": (
                Annotated[
                    str, typer.Option(help="Images a round, parted by commas: counts or shares.")
                ],
                BUDGETS,
            ),
            "seeds": (Annotated[int, typer.Option(min=1, help="How many; they are 0, 1, …")], 5),
            "rounds": (Annotated[int, typer.Option(min=1, max=100, help="Rounds of each run.")], 1),
            "against": (
                Annotated[str, typer.Option(help="Whom differences are from, parted by commas.")],
                "random",
            ),
            "full_epochs": (
                Annotated[
                    int,
                    typer.Option(min=0, help="Passes of 'full'; 0 for as many as --epochs."),
                ],
                0,
            ),
            "pool": (
                Annotated[
                    int, typer.Option(min=0, help="Draw a pool of so many images; 0 takes all.")
                ],
                0,
            ),
            "workers": (
                Annotated[
                    int, typer.Option(min=0, help="Processes; 0 for one a core, or one on a GPU.")
                ],
                0,
            ),
            "to": (
                Annotated[Path | None, typer.Option(help="The results' folder, kept or new.")],
                None,
            ),
        },
    )
)
