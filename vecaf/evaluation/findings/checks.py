"""What is worth a second look in a dataset: near-duplicates, outliers, likely label errors.

Pure functions on arrays. Each finding carries its evidence. They are shown to people and nothing
else: no selector, stopping rule or score reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecaf.arrays import Floats, Rows

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
    confirmed     whether a run's model that was not trained on it says the same; None: none did
                  say anything
    """

    row: int
    label: int
    suggested: int
    confidence: float
    own: float
    agreeing: float
    neighbours: list[int]
    confirmed: bool | None


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
    labels: Rows,
    probabilities: Floats,
    near: Rows,
    said: Rows | None = None,
    *,
    agreement: float = 0.8,
    margin: float = 0.3,
) -> list[LabelError]:
    """Labels that confident learning calls wrong and the neighbours do too, surest first.

    labels         (n,), −1 where there is none
    probabilities  (n, classes), of each image by a model that has not seen its label; a class that
                   can't be judged has a column of zeros
    near           (n, k), each row's nearest others
    said           (n,), the class that a run's model gives images that it was not trained on; −1
                   elsewhere

    Confident learning (Northcutt, Jiang & Chuang 2021, JAIR 70, "prune by noise rate"): a class's
    threshold is the mean probability that its own images give it. An image counts for the class of
    highest probability among those above their threshold. How many of class i's images count for j
    estimates how many labels i ought to be j; so many are suspect, those that prefer j most. A head
    on features errs more often than people do, so two things more are asked: that j is ahead by
    `margin` (half of it where `said` is j: a second witness), and that at least `agreement` of the
    labelled neighbours that have one of the two have j. Ordered by the difference of the two
    probabilities.
    """
    said = np.full(len(labels), -1) if said is None else said
    found: dict[int, LabelError] = {}
    for label, suggested, number in _mistaken(labels, probabilities):
        rows = np.flatnonzero(labels == label)
        ahead = probabilities[rows, suggested] - probabilities[rows, label]
        for place in np.argsort(-ahead, kind="stable")[:number]:
            row = int(rows[place])
            around = near[row][labels[near[row]] >= 0]
            agreeing = around[labels[around] == suggested]
            opposed = int((labels[around] == label).sum())
            needed = agreement * (len(agreeing) + opposed)
            confirmed = bool(said[row] == suggested)
            least = margin / 2 if confirmed else margin
            if ahead[place] < least or not len(agreeing) or len(agreeing) < needed:
                continue
            error = LabelError(
                row=row,
                label=label,
                suggested=suggested,
                confidence=float(probabilities[row, suggested]),
                own=float(probabilities[row, label]),
                agreeing=len(agreeing) / len(around),
                neighbours=agreeing[:EVIDENCE].tolist(),
                confirmed=confirmed if said[row] >= 0 else None,
            )
            if row not in found or found[row].confidence < error.confidence:
                found[row] = error
    return sorted(found.values(), key=lambda error: (error.own - error.confidence, error.row))


def _mistaken(labels: Rows, probabilities: Floats) -> list[tuple[int, int, int]]:
    """(class i, class j, how many labels i ought to be j), by the normalised confident joint."""
    judged = [k for k in range(probabilities.shape[1]) if probabilities[:, k].any()]
    thresholds = np.full(probabilities.shape[1], np.inf, np.float32)
    for k in judged:
        thresholds[k] = probabilities[labels == k, k].mean()
    above = np.where(probabilities >= thresholds, probabilities, -1)
    out = []
    for label in judged:
        own = above[labels == label]
        counts = np.bincount(own.argmax(axis=1)[own.max(axis=1) > 0], minlength=above.shape[1])
        share = counts / max(1, counts.sum())
        for suggested in np.flatnonzero(counts):
            if suggested != label:
                out.append((label, int(suggested), int(np.ceil(share[suggested] * len(own)))))
    return out
