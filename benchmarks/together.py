"""Several benchmarks in one table: `python -m benchmarks.together one-round four-rounds`

Reads what `python -m vecaf benchmark … --to FOLDER` has left in each folder. Rows are named after
strategy and folder; budgets are put side by side in their order, so that each folder needs as many.
The last column is what --best of the last folder is above the row, paired by seed.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from benchmarks.rows import points
from vecaf.evaluation.comparison import paired_over_seeds

Accuracies = dict[int, list[float]]  # seed → test accuracy at each budget, 0 to 1


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--best", default="vecaf", help="a strategy of the last folder")
    parser.add_argument("--only", default="", help="of the last folder these, parted by commas")
    options = parser.parse_args()
    last = options.folders[-1]
    only = [*options.only.split(","), options.best] if options.only else []
    rows: dict[str, Accuracies] = {}
    heads: list[list[str]] = []
    for folder in options.folders:
        labels, found = read(folder)
        heads += [labels] if labels not in heads else []
        for strategy, accuracies in found.items():
            if folder != last or not only or strategy in only:
                rows[f"{strategy}, {folder.name}"] = accuracies
    best = rows.get(f"{options.best}, {last.name}")
    if best is None:
        parser.error(f"{last} has no result of {options.best}; name another with --best")
    if len({len(labels) for labels in heads}) > 1:
        parser.error("the folders differ in how many budgets they hold")

    columns = [" or ".join(dict.fromkeys(place)) for place in zip(*heads, strict=True)]
    print(f"| labels | {' | '.join(columns)} | mean | {options.best}, {last.name} − it |")
    print(f"|---|{'---|' * (len(columns) + 2)}")
    for name, accuracies in rows.items():
        of_budget = [sum(one) / len(one) for one in zip(*accuracies.values(), strict=True)]
        gap = (
            "–" if accuracies is best else points(paired_over_seeds(means(best), means(accuracies)))
        )
        cells = [f"{100 * value:.1f}" for value in (*of_budget, sum(of_budget) / len(of_budget))]
        print(f"| {name} | {' | '.join(cells)} | {gap} |")


def read(folder: Path) -> tuple[list[str], dict[str, Accuracies]]:
    """Labels in all at each budget, and what each strategy came to."""
    found: dict[str, Accuracies] = defaultdict(lambda: defaultdict(list))
    labels: dict[str, str] = {}
    with (folder / "cells.csv").open(encoding="utf-8", newline="") as file:
        for cell in csv.DictReader(file):
            labels[cell["budget"]] = f"{int(cell['labels']):,}"
            found[cell["strategy"]][int(cell["seed"])].append(float(cell["test_accuracy"]))
    return list(labels.values()), found


def means(accuracies: Accuracies) -> dict[int, float]:
    """Seed → mean over the budgets."""
    return {seed: sum(values) / len(values) for seed, values in accuracies.items()}


if __name__ == "__main__":
    main()
