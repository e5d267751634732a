"""ActiveFT compared with a plain implementation.

The features are those of a dataset in VECAF_HOME, reduced to 384 principal components. Without that
dataset, synthetic clusters are used. For the plain implementation, a few steps and a tenth of the
sorting are timed and scaled. Complete runs of both on fewer rows are timed, too, and their ids are
compared. The lower bound of a step is reading every row twice and the matrix products of the
repulsion, in which each pair of centroids is scored once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.rows import samples_of
from benchmarks.speed.figures import Figure, alternating, parser_of
from benchmarks.speed.plain_selection import plain_assignment, plain_descent
from benchmarks.speed.synthetic import clustered
from vecaf.arrays import Floats, Ids
from vecaf.encoders.dataset_features import embed_samples
from vecaf.encoders.vision_models import load_pvm
from vecaf.errors import VecafError
from vecaf.selection.assignment import nearest_unused
from vecaf.selection.centroids import optimize_centroids
from vecaf.selection.space import narrowed
from vecaf.selection.strategy_pool import make_pool
from vecaf.settings import Settings

MODEL, SIDE, WIDTH = "efficientnet_lite0", 96, 384
GOALS = {500: 20.0, 5000: 40.0}  # how many times faster, by centroids


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("selection", __doc__, repeats=1)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--centroids", type=int, nargs="+", default=list(GOALS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--plain-steps", type=int, default=3, help="number of steps to time and scale"
    )
    parser.add_argument("--complete", type=int, nargs=2, default=(8_000, 800),
                        metavar=("ROWS", "CENTROIDS"), help="of complete runs")  # fmt: skip
    options = parser.parse_args(arguments)
    rows, source = features(options.dataset, options.rows)
    ours(rows[:256], rows[:32], 3)  # compiles the kernels
    yield _complete(rows[: options.complete[0]], options.complete[1], source, options)
    for k in options.centroids:
        yield from _scaled(rows, k, source, options)


def features(dataset: str, n: int) -> tuple[Floats, str]:
    """Return up to n unit rows (n, 384), in the order of a strategy's pool, and their source."""
    try:
        settings = Settings.from_environment()
        samples = samples_of(dataset, settings)
        found, _ = embed_samples(load_pvm(MODEL, SIDE), samples, settings, lambda done, all: None)
        source = dataset
    except VecafError:
        found, source = clustered(n, WIDTH, seed=0), "synthetic features"
    return narrowed(make_pool(found[:n], seed=0).features, WIDTH), source


def ours(rows: Floats, initial: Floats, steps: int) -> Ids:
    """Return the ids (k,) that the studio selects."""
    found = optimize_centroids(rows, initial, steps=steps)
    return nearest_unused(rows, found.centroids, np.ones(len(rows), dtype=bool))


def _complete(rows: Floats, k: int, source: str, options: argparse.Namespace) -> Figure:
    ids = {}

    def plain() -> None:
        ids["plain"] = plain_assignment(rows, plain_descent(rows, rows[:k], options.steps))

    def fast() -> None:
        ids["ours"] = ours(rows, rows[:k], options.steps)

    quick, slow = alternating(fast, plain, repeats=options.repeats, timer=options.timer)
    same = np.isin(ids["ours"], ids["plain"]).sum()
    name = f"select {k:,} of {len(rows):,} × {rows.shape[1]}, {source}, {options.steps} steps"
    return Figure(
        name, quick, ("plain, complete", slow), faster=1, note=f"{same:,} of {k:,} ids equal"
    )


def _scaled(rows: Floats, k: int, source: str, options: argparse.Namespace) -> Iterator[Figure]:
    few, part = options.plain_steps, max(1, k // 10)
    table, shares = torch.from_numpy(rows[:k].copy()), torch.full((k, k), 0.5)

    def floor() -> None:
        for start in range(0, len(rows), 1000):
            for _ in range(2):
                torch.from_numpy(rows[start : start + 1000]).sum()
        torch.mm(table, table.T[:, : max(1, k // 2)])
        torch.mm(shares, table)

    step, sorting, least = alternating(
        lambda: plain_descent(rows, rows[:k], few),
        lambda: plain_assignment(rows, rows[:part]),
        floor,
        repeats=options.repeats,
        timer=options.timer,
    )
    plain = step / few * options.steps + sorting * k / part
    (quick,) = alternating(
        lambda: ours(rows, rows[:k], options.steps), repeats=options.repeats, timer=options.timer
    )
    name = f"select {k:,} of {len(rows):,} × {rows.shape[1]}, {source}, {options.steps} steps"
    beside = (f"plain, scaled from {few} steps", plain)
    yield Figure(name, quick, beside, faster=GOALS.get(k, 1))
    yield Figure(name, quick, ("reading rows twice, and repulsion", least * options.steps))
