"""The steps of a map, on synthetic features of forty overlapping groups.

UMAP has a fixed seed, so it runs on one thread; its reference is the exact neighbor search that it
needs. A million points are written into a temporary data folder and requested over HTTP from a
newly started application.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.speed.figures import Figure, alternating, parser_of
from vecaf.arrays import unit_rows
from vecaf.arrays.neighbors import nearest_neighbors, nearest_rows, neighbor_graph
from vecaf.arrays.principal_components import fit_basis
from vecaf.evaluation.findings.checks import label_errors, near_duplicates, outliers
from vecaf.evaluation.findings.held_out import held_out_probabilities
from vecaf.evaluation.map_layout import first_two, layout_map
from vecaf.settings import Settings

GROUPS, DIMENSIONS, NEIGHBORS = 40, 1280, 16


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("maps", __doc__, repeats=1)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="number of served points; 0 skips this"
    )
    parser.add_argument("--only-points", action="store_true")
    options = parser.parse_args(arguments)
    if not options.only_points:
        yield from _steps(options)
    if options.points:
        yield _served(options)


def _steps(options: argparse.Namespace) -> Iterator[Figure]:
    n = options.rows
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(GROUPS, DIMENSIONS)).astype(np.float32)
    labels = rng.integers(0, GROUPS, n)
    features = 0.6 * centers[labels] + rng.standard_normal((n, DIMENSIONS), dtype=np.float32) + 1
    basis = fit_basis(features)
    coordinates = basis.project(features)
    start, space = first_two(coordinates), unit_rows(coordinates)
    text = features + 0.3 * (centers[labels] + 1 - features)
    words = unit_rows(basis.project(text))
    del text
    near, cosine = neighbor_graph(space)

    def timed(*programs: object) -> list[float]:
        return alternating(*programs, repeats=options.repeats, timer=options.timer)  # type: ignore[arg-type]

    pca, product = timed(
        lambda: first_two(fit_basis(features).project(features)), lambda: features.T @ features
    )
    name = f"PCA view of {n:,} × {DIMENSIONS}"
    yield Figure(name, pca, ("covariance's product", product), limit=2)
    (one,) = timed(lambda: nearest_neighbors(space.astype(np.float16), space[0], 12, exclude=0))
    yield Figure("neighbors of one image", one)
    umap, search = timed(
        lambda: layout_map(space, words, start), lambda: nearest_rows(space, space, NEIGHBORS)
    )
    name = f"UMAP of {n:,}, with and without captions"
    yield Figure(name, umap, ("exact neighbors", search), limit=90)
    found, errors = timed(
        lambda: (
            near_duplicates([str(row) for row in range(n)], near, cosine),
            outliers(near, cosine),
        ),
        lambda: label_errors(labels, held_out_probabilities(space, labels, GROUPS), near),
    )
    yield Figure("near-duplicates and outliers", found)
    yield Figure("likely label errors", errors)


def _served(options: argparse.Namespace) -> Figure:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from app.explore import arrays
    from app.shell.studio import Studio
    from benchmarks.explore import synthesize
    from vecaf.store import Store

    with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as home:
        synthesize(Path(home), options.points)
        settings = Settings.from_environment({"VECAF_HOME": home})
        umap = next(settings.tasks.glob("*/umap.npy"))

        def answer() -> None:
            studio = Studio(settings, Store(settings))
            server = FastAPI()
            server.include_router(arrays.routes(studio), prefix="/explore")
            with TestClient(server, base_url="http://127.0.0.1") as browser:
                assert len(browser.get("/explore/1/points.bin").content) > 8 * options.points

        ours, floor = alternating(
            answer, umap.read_bytes, repeats=max(3, options.repeats), timer=options.timer
        )
    return Figure(
        f"points.bin of {options.points:,} points", ours, ("reading the file", floor), limit=0.5
    )
