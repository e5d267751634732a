"""Several benchmarks in one table: `python -m benchmarks.together one-round four-rounds`

Reads the results of `python -m vecaf benchmark … --to FOLDER` from each folder. Rows are named
after strategy and folder. The budgets of all folders share columns in their order, so each folder
must have the same number of budgets. The last column is the difference of --best (in the last
folder) from the row, paired by seed.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from benchmarks.rows import points
from vecaf.errors import InputError
from vecaf.evaluation.comparison import paired_over_seeds

Accuracies = dict[int, list[float]]  # seed → test accuracy at each budget, 0 to 1


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--best", default="vecaf", help="a strategy of the last folder")
    parser.add_argument(
        "--only", default="", help="strategies of the last folder to show, separated by commas"
    )
    options = parser.parse_args()
    last = options.folders[-1]
    only = [*filter(None, options.only.split(",")), options.best] if options.only else []
    rows: dict[str, Accuracies] = {}
    heads: list[list[str]] = []
    try:
        for folder in options.folders:
            labels, found = read(folder)
            heads += [labels] if labels not in heads else []
            if folder == last and (missing := {*only, options.best} - {*found}):
                raise InputError(f"{last} has no results for {', '.join(sorted(missing))}.")
            for strategy, accuracies in found.items():
                name = f"{strategy}, {folder.name}"
                if name in rows:
                    raise InputError(f"Two folders are named {folder.name}. Rename one.")
                if folder != last or not only or strategy in only:
                    rows[name] = accuracies
        if len({len(labels) for labels in heads}) > 1:
            raise InputError("The folders have different numbers of budgets.")
    except InputError as error:
        parser.error(str(error))
    best = rows[f"{options.best}, {last.name}"]

    columns = [" or ".join(dict.fromkeys(place)) for place in zip(*heads, strict=True)]
    print(f"| labels | {' | '.join(columns)} | mean | {options.best}, {last.name} − row |")
    print(f"|---|{'---|' * (len(columns) + 2)}")
    for name, accuracies in rows.items():
        of_budget = [sum(one) / len(one) for one in zip(*accuracies.values(), strict=True)]
        gap = (
            "–" if accuracies is best else points(paired_over_seeds(means(best), means(accuracies)))
        )
        cells = [f"{100 * value:.1f}" for value in (*of_budget, sum(of_budget) / len(of_budget))]
        print(f"| {name} | {' | '.join(cells)} | {gap} |")


def read(folder: Path) -> tuple[list[str], dict[str, Accuracies]]:
    """Read the total labels at each budget and the accuracies of each strategy.

    Raises
    ------
    InputError
        If there are no results, or they are for several datasets or different budgets.
    """
    found: dict[str, Accuracies] = defaultdict(lambda: defaultdict(list))
    labels: dict[str, str] = {}
    datasets: set[str] = set()
    cells = folder / "cells.csv"
    if not cells.is_file():
        raise InputError(f"{folder} contains no cells.csv. Pass the --to folder of a benchmark.")
    with cells.open(encoding="utf-8", newline="") as file:
        for cell in csv.DictReader(file):
            datasets.add(cell["dataset"])
            labels[cell["budget"]] = f"{int(cell['labels']):,}"
            found[cell["strategy"]][int(cell["seed"])].append(float(cell["test_accuracy"]))
    if len(datasets) > 1:
        raise InputError(f"{folder} contains several datasets: {', '.join(sorted(datasets))}.")
    for strategy, accuracies in found.items():
        if any(len(values) != len(labels) for values in accuracies.values()):
            raise InputError(
                f"{folder} has {strategy} at different budgets from the other strategies."
            )
    return list(labels.values()), found


def means(accuracies: Accuracies) -> dict[int, float]:
    """Return the mean over budgets for each seed."""
    return {seed: sum(values) / len(values) for seed, values in accuracies.items()}


if __name__ == "__main__":
    main()
