"""How long does a map take? `python -m benchmarks.maps [--rows 50000]`

Times each step of the task `map` after embedding, on made-up features of forty overlapping groups.
Time does not depend on what the features show; NumPy's and PyTorch's threads are as the machine
gives them, UMAP is seeded and so has one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from vecaf.encoders.embedding import unit_rows
from vecaf.evaluation.findings import label_errors, near_duplicates, outliers
from vecaf.evaluation.held_out import held_out_probabilities
from vecaf.evaluation.layout import fit_basis, lay_out, plane
from vecaf.evaluation.neighbours import graph, nearest

GROUPS, DIMENSIONS = 40, 1280


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    n = parser.parse_args().rows
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, DIMENSIONS)).astype(np.float32)
    labels = rng.integers(0, GROUPS, n)
    features = 0.6 * centres[labels] + rng.standard_normal((n, DIMENSIONS), dtype=np.float32) + 1
    text = features + 0.3 * (centres[labels] + 1 - features)

    print(f"{n:,} × {DIMENSIONS}\n\n| step | seconds |\n|---|---|")
    with timed("principal plane and space"):
        basis = fit_basis(features)
        coordinates = basis.project(features)
        start, space = plane(coordinates), unit_rows(coordinates)
    with timed("neighbours of one image"):
        nearest(space.astype(np.float16), space[0], 12, leave_out=0)
    words = unit_rows(basis.project(text))
    with timed("UMAP, with and without captions"):
        lay_out(space, words, start)
    with timed("near-duplicates and outliers"):
        near, cosine = graph(space)
        near_duplicates([str(row) for row in range(n)], near, cosine)
        outliers(near, cosine)
    with timed("likely label errors"):
        label_errors(labels, held_out_probabilities(space, labels, GROUPS), near)


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print a line of the table for what the block takes."""
    started = time.monotonic()
    yield
    print(f"| {step} | {time.monotonic() - started:.2f} |", flush=True)


if __name__ == "__main__":
    main()
