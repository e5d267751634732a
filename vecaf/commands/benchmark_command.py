"""The command that compares strategies over datasets, budgets, and seeds."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vecaf.commands.application import app, open_store
from vecaf.commands.config_options import command_with_config
from vecaf.commands.dataset_commands import load_dataset
from vecaf.commands.output import ProgressBar, print_result
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
    first_seed: int,
    pool: int,
    workers: int,
    to: Path | None,
    json: bool,
    **options: Any,
) -> None:
    """Compare strategies: one run per dataset, strategy, budget, and seed.

    Prints a table and writes tables and plots. Finished runs are cached: after an interruption,
    repeat the command to continue.
    """
    from vecaf.benchmarking.cells import Grid
    from vecaf.benchmarking.report import as_dict, write_report
    from vecaf.benchmarking.results import ResultCache, facts_key
    from vecaf.benchmarking.running import default_workers, measure_all, plan_jobs
    from vecaf.benchmarking.sections import sections

    grid = Grid.of(
        datasets, strategies, budgets, seeds, RunConfig(**options), pool=pool, against=against,
        full_epochs=full_epochs, first_seed=first_seed,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as on Ctrl-C
    store, user = open_store()
    tasks = plan_jobs(grid, lambda name: load_dataset(store, user, name), store.settings)
    root = to or store.settings.home / "benchmarks"
    cache = ResultCache(root / "cells")
    processes = workers or default_workers(grid.base, store.settings)
    results = measure_all(tasks, cache, store.settings, processes, ProgressBar())
    folder = to or root / facts_key([facts for task in tasks for _, facts in task.jobs])
    text, files = write_report(folder, grid, results, _command_line())
    payload = as_dict(grid, sections(grid, results), results)
    payload |= {"folder": str(folder), "files": [path.name for path in files]}
    print_result(payload, f"{text}\nTables, plots, and cached runs: {folder}", json)


def _command_line() -> str:
    """Return this command line without `--to` and `--json`, for the report."""
    arguments = iter(sys.argv[1:])
    kept = []
    for argument in arguments:
        if argument == "--to":
            next(arguments, None)
        elif argument != "--json" and not argument.startswith("--to="):
            kept.append(argument)
    return shlex.join(["python", "-m", "vecaf", *kept])


app.command("benchmark")(
    command_with_config(
        RunConfig,
        benchmark,
        arguments={
            "datasets": Annotated[list[str], typer.Argument(help="Names of one or more datasets.")]
        },
        flags={"json": Annotated[bool, typer.Option("--json", help="Print one JSON object.")]},
        without=(
            "dataset",
            "strategy",
            "strategy_options",
            "budget",
            "seed",
            "subset",
            "adapt_to",
        ),
        options={
            "strategies": (
                Annotated[
                    str,
                    typer.Option(
                        help="Strategies to compare, separated by commas. 'full' trains on the "
                        "whole pool; the labels-known track always includes it."
                    ),
                ],
                STRATEGIES,
            ),
            "budgets": (
                Annotated[
                    str,
                    typer.Option(
                        help="Images per round, separated by commas: counts (100) or percentages "
                        "of the pool (2%)."
                    ),
                ],
                BUDGETS,
            ),
            "seeds": (
                Annotated[int, typer.Option(min=1, help="Number of seeds.")],
                5,
            ),
            "first_seed": (
                Annotated[
                    int,
                    typer.Option(
                        min=0,
                        help="The first seed. Do not measure the final result with the seeds "
                        "that you used to choose settings.",
                    ),
                ],
                0,
            ),
            "rounds": (Annotated[int, typer.Option(min=1, max=100, help="Rounds per run.")], 1),
            "against": (
                Annotated[
                    str,
                    typer.Option(
                        help="Strategies to compute differences from, separated by commas."
                    ),
                ],
                "random",
            ),
            "full_epochs": (
                Annotated[
                    int,
                    typer.Option(min=0, help="Epochs of 'full'. 0 uses the value of --epochs."),
                ],
                0,
            ),
            "pool": (
                Annotated[
                    int,
                    typer.Option(
                        min=0,
                        help="Draw a random pool of this many images. 0 uses the whole pool.",
                    ),
                ],
                0,
            ),
            "workers": (
                Annotated[
                    int,
                    typer.Option(
                        min=0, help="Worker processes. 0 starts one per CPU core, or one on a GPU."
                    ),
                ],
                0,
            ),
            "to": (
                Annotated[
                    Path | None,
                    typer.Option(
                        help="Folder for the results. Finished runs in it are reused. "
                        "Default: a folder in VECAF_HOME/benchmarks."
                    ),
                ],
                None,
            ),
        },
    )
)
