"""What is worth a second look in a dataset: near-duplicates, outliers, likely label errors.

Pure functions on arrays. Each finding carries its evidence. They are shown to people and nothing
else: no selector, stopping rule or score reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

DUPLICATE_COSINE = 0.95
EVIDENCE = 5  # neighbours named with a finding


@dataclass(frozen=True)
class Duplicates:
    """Images that are (nearly) one: `rows` ascending; `cosine` of the least alike linked pair;
    `exact` where all files hold the same bytes."""

    rows: list[int]
    cosine: float
    exact: bool


@dataclass(frozen=True)
class Outlier:
    """An image unlike the others: the mean distance (1 − cosine) to its nearest ones."""

    row: int
    distance: float
    neighbours: list[int]


@dataclass(frozen=True)
class LabelError:
    """A label that the rest of the dataset speaks against.

    suggested     the class that it speaks for, with its probability `confidence`
    own           probability of the label that is there
    agreeing      of the nearest labelled images, the share that has the suggested label
    neighbours    the nearest ones that have it
    """

    row: int
    label: int
    suggested: int
    confidence: float
    own: float
    agreeing: float
    neighbours: list[int]


def near_duplicates(
    keys: Sequence[str], near: Rows, cosine: Floats, *, threshold: float = DUPLICATE_COSINE
) -> list[Duplicates]:
    """Groups of images with equal files, or linked by a cosine of `threshold` or more.

    keys          (n), the content's hash of each image
    near, cosine  (n, k), each row's nearest others in the principal space, nearest first

    Cosines are taken about the mean in that space, where unrelated photos lie near 0. Most certain
    groups first: exact ones, then by cosine.
    """
    parent = np.arange(len(keys))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    first: dict[str, int] = {}
    links = [(row, first.setdefault(key, row), 1.0) for row, key in enumerate(keys)]
    links = [link for link in links if link[0] != link[1]]
    at, place = np.nonzero(cosine >= threshold)
    links += zip(at.tolist(), near[at, place].tolist(), cosine[at, place].tolist(), strict=True)
    for row, other, _ in links:
        one, two = root(row), root(other)
        parent[max(one, two)] = min(one, two)
    members: dict[int, set[int]] = defaultdict(set)
    least: dict[int, float] = defaultdict(lambda: 1.0)
    for row, other, value in links:
        group = root(row)
        members[group] |= {row, other}
        least[group] = min(least[group], value)
    groups = [
        Duplicates(sorted(rows), least[group], len({keys[row] for row in rows}) == 1)
        for group, rows in members.items()
    ]
    return sorted(groups, key=lambda group: (not group.exact, -group.cosine, group.rows))


def outliers(near: Rows, cosine: Floats, *, share: float = 0.01) -> list[Outlier]:
    """The images furthest from their k nearest others, furthest first.

    Distance to neighbours is the oldest measure of it and among the best (Ramaswamy, Rastogi & Shim
    2000). Those above Tukey's fence (third quartile + 1.5 times the quartiles' distance) count, and
    at most `share` of all.
    """
    if len(near) < 4 or not near.shape[1]:
        return []
    distance = 1 - cosine.mean(axis=1)
    low, high = np.quantile(distance, [0.25, 0.75])
    far = np.flatnonzero(distance > high + 1.5 * (high - low))
    far = far[np.argsort(-distance[far], kind="stable")][: max(1, int(share * len(near)))]
    return [Outlier(int(r), float(distance[r]), near[r, :EVIDENCE].tolist()) for r in far]


def label_errors(
    labels: Rows, probabilities: Floats, near: Rows, *, agreement: float = 0.5
) -> list[LabelError]:
    """Labels that confident learning calls wrong and the neighbours do too, surest first.

    labels         (n,), −1 where there is none
    probabilities  (n, classes), of each image by a model that has not seen its label; a class that
                   can't be judged has a column of zeros
    near           (n, k), each row's nearest others

    Confident learning (Northcutt, Jiang & Chuang 2021, JAIR 70): a class's threshold t_j is the
    mean probability that its own images give it. An image counts for the class of highest
    probability among those above their threshold; where that is not its label, the label is
    suspect. Here, more than `agreement` of the labelled neighbours that have either of the two must
    have the other one. Ordered by the difference of the two probabilities.
    """
    classes = probabilities.shape[1]
    thresholds = np.full(classes, np.inf)
    for number in range(classes):
        own = labels == number
        if own.any() and probabilities[:, number].any():
            thresholds[number] = probabilities[own, number].mean()
    above = np.where(probabilities >= thresholds, probabilities, -1.0)
    counted = above.argmax(axis=1)
    judged = (labels >= 0) & (above.max(axis=1) > 0) & np.isfinite(thresholds[labels])
    found = []
    for row in np.flatnonzero(judged & (counted != labels)):
        label, suggested = int(labels[row]), int(counted[row])
        around = near[row][labels[near[row]] >= 0]
        agreeing = around[labels[around] == suggested]
        opposed = int((labels[around] == label).sum())
        if len(agreeing) <= agreement * (len(agreeing) + opposed):
            continue
        found.append(
            LabelError(
                row=int(row),
                label=label,
                suggested=suggested,
                confidence=float(probabilities[row, suggested]),
                own=float(probabilities[row, label]),
                agreeing=len(agreeing) / len(around),
                neighbours=agreeing[:EVIDENCE].tolist(),
            )
        )
    return sorted(found, key=lambda error: (error.own - error.confidence, error.row))
