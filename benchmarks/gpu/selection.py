"""ActiveFT at the size of ImageNet, compared with a plain implementation on the device.

The studio selects on the CPU. The reference computes all scores of rows × centroids in blocks, on
the device, in float32 (TF32 where the GPU has it).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import vecaf
from benchmarks.gpu.roofline import Roofline, fastest, memory_of
from benchmarks.gpu.sizes import Measured, Sizes
from vecaf.arrays import Floats

BLOCK = 16_384  # rows
TEMPERATURE, RATE = 0.07, 1e-3


def measure_selection(device: torch.device, sizes: Sizes, roofline: Roofline) -> Iterator[Measured]:
    """Measure one selection, once: it is long."""
    features = clustered_rows(sizes)

    def ours() -> None:
        vecaf.select(features, sizes.budget, strategy="activeft", steps=sizes.selection_steps)

    rows = torch.from_numpy(features).to(device)

    def plain() -> None:
        plain_selection(rows, sizes.budget, sizes.selection_steps)

    n, d, k = sizes.rows, sizes.width, sizes.budget
    memory = memory_of(plain, device)
    yield Measured(
        f"select {k:,} of {n:,} rows, d = {d}, {sizes.selection_steps} steps",
        fastest(ours, torch.device("cpu"), 1),
        (f"plain program on {device.type}", fastest(plain, device, 1)),
        roofline.seconds(2.0 * n * k * d * (sizes.selection_steps + 1), rows.nbytes),
        memory,
    )


def clustered_rows(sizes: Sizes) -> Floats:
    """Return unit rows (n, d) around 1,000 random centers."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1000, sizes.width), np.float32)
    rows = rng.standard_normal((sizes.rows, sizes.width), np.float32)
    rows += 2 * centers[np.arange(sizes.rows) % len(centers)]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def plain_selection(rows: Tensor, budget: int, steps: int) -> Tensor:
    """Select rows (k,) by equation 7 of arXiv 2303.14382, with gradients by autograd."""
    torch.set_float32_matmul_precision("high")
    theta = rows[torch.randperm(len(rows), device=rows.device)[:budget]].clone()
    theta.requires_grad_()
    adam = torch.optim.Adam([theta], lr=RATE)
    for _ in range(steps):
        centroids = F.normalize(theta, dim=1)
        repulsion = torch.zeros(budget, device=rows.device)
        for part in centroids.detach().split(BLOCK):
            repulsion = repulsion + (part @ centroids.T / TEMPERATURE).exp().sum(dim=0)
        adam.zero_grad()
        loss = torch.zeros((), device=rows.device)
        for block in rows.split(BLOCK):
            with torch.no_grad():
                winner = (block @ centroids.T).argmax(dim=1)
            attraction = ((block * centroids[winner]).sum(dim=1) / TEMPERATURE).exp()
            loss = loss - (attraction / (attraction + repulsion[winner])).log().sum()
        (loss / len(rows)).backward()
        adam.step()
    return nearest_unused(rows, F.normalize(theta.detach(), dim=1))


def nearest_unused(rows: Tensor, centroids: Tensor, candidates: int = 64) -> Tensor:
    """Return for each centroid, in order, its nearest unused row among its candidates."""
    best = torch.full((len(centroids), 0), 0.0, device=rows.device)
    places = torch.empty((len(centroids), 0), dtype=torch.int64, device=rows.device)
    for start in range(0, len(rows), BLOCK):
        scores = centroids @ rows[start : start + BLOCK].T
        found = torch.arange(start, start + scores.shape[1], device=rows.device)
        best = torch.cat([best, scores], dim=1)
        places = torch.cat([places, found.expand(len(centroids), -1)], dim=1)
        best, kept = best.topk(min(candidates, best.shape[1]), dim=1)
        places = places.gather(1, kept)
    taken: dict[int, None] = {}
    for ranked in places.tolist():
        taken[next((row for row in ranked if row not in taken), ranked[0])] = None
    return torch.tensor(list(taken))
