"""Detection of near-duplicates, outliers and likely label errors.

All functions are pure. Each finding carries its evidence. Findings are for display only: selection,
stopping rules and scores do not use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecaf.arrays import Floats, Rows

DUPLICATE_COSINE = 0.95
EVIDENCE = 5  # neighbors listed with a finding


@dataclass(frozen=True)
class DuplicateGroup:
    """A group of images that are identical or nearly identical.

    Attributes
    ----------
    rows
        Rows of the images, ascending.
    cosine
        The lowest cosine similarity among the linked pairs.
    exact
        Whether all files have the same content.
    """

    rows: list[int]
    cosine: float
    exact: bool


@dataclass(frozen=True)
class Outlier:
    """An image that differs from all others.

    Attributes
    ----------
    row
    distance
        Mean cosine distance to its nearest neighbors.
    neighbors
        Rows of the nearest of them.
    """

    row: int
    distance: float
    neighbors: list[int]


@dataclass(frozen=True)
class LabelError:
    """A label that is probably wrong.

    Attributes
    ----------
    row
    label
        The current label.
    suggested
        The suggested label.
    confidence
        Predicted probability of the suggested label, from 0 to 1.
    own
        Predicted probability of the current label, from 0 to 1.
    agreeing
        Fraction of the nearest labeled images that have the suggested label.
    neighbors
        Rows of the nearest images with the suggested label.
    confirmed
        Whether a run's model, not trained on this image, predicts the suggested label. None if
        there is no such prediction.
    """

    row: int
    label: int
    suggested: int
    confidence: float
    own: float
    agreeing: float
    neighbors: list[int]
    confirmed: bool | None


def near_duplicates(
    keys: Sequence[str], near: Rows, cosine: Floats, *, threshold: float = DUPLICATE_COSINE
) -> list[DuplicateGroup]:
    """Group images that have equal files, or that are linked by a high cosine similarity.

    The groups are the connected components of the graph of these links.

    Parameters
    ----------
    keys
        The content hash of each of the n images.
    near, cosine : array of shape (n, k)
        The nearest neighbors of each row, nearest first, and their cosine similarities. The
        features are centered, so that unrelated photos have a similarity near 0.
    threshold
        The least similarity of a link. At the default of 0.95, linked images usually show the same
        scene.

    Returns
    -------
    list of DuplicateGroup
        Exact groups first, then by descending similarity.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(keys)
    if not n:
        return []
    first_row: dict[str, int] = {}
    first = np.array([first_row.setdefault(key, row) for row, key in enumerate(keys)])
    copies = np.flatnonzero(first != np.arange(n))
    at, place = np.nonzero(cosine >= threshold)
    one = np.concatenate([copies, at])
    other = np.concatenate([first[copies], near[at, place]])
    similarity = np.concatenate([np.ones(len(copies)), cosine[at, place].astype(np.float64)])

    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(n, n))
    components = connected_components(links, directed=False)[1]
    lowest = np.ones(n)
    np.minimum.at(lowest, components[one], similarity)
    linked = np.unique(np.concatenate([one, other]))
    linked = linked[np.argsort(components[linked], kind="stable")]
    starts = np.flatnonzero(np.diff(components[linked], prepend=-1))
    groups = [
        DuplicateGroup(
            rows.tolist(),
            float(lowest[components[rows[0]]]),
            len({keys[row] for row in rows}) == 1,
        )
        for rows in np.split(linked, starts[1:])
        if len(rows)
    ]
    return sorted(groups, key=lambda group: (not group.exact, -group.cosine, group.rows))


def outliers(near: Rows, cosine: Floats, *, share: float = 0.01) -> list[Outlier]:
    """Find the images that are furthest from their nearest neighbors.

    An outlier's mean distance is above Tukey's fence, which is the third quartile plus 1.5 times
    the interquartile range.

    Parameters
    ----------
    near, cosine : array of shape (n, k)
        The nearest neighbors of each row, nearest first, and their cosine similarities.
    share
        The maximum fraction of images to report. The default of 0.01 keeps the list short enough to
        review.

    Returns
    -------
    list of Outlier
        Furthest first.

    References
    ----------
    Ramaswamy, Rastogi and Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets",
    SIGMOD 2000, for the distance to nearest neighbors as a measure.
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
    predicted: Rows | None = None,
    *,
    agreement: float = 0.8,
    margin: float = 0.3,
) -> list[LabelError]:
    """Find labels that confident learning and the nearest neighbors both consider wrong.

    Confident learning ("prune by noise rate") estimates how many images with label i should have
    label j. The threshold of a class is the mean predicted probability of its own images. An image
    counts toward the most probable class whose threshold it reaches. If m images with label i count
    toward class j, the m images with the largest probability difference p_j − p_i are candidates. A
    classifier on fixed features is wrong more often than human annotators, so two further
    conditions apply; see `agreement` and `margin`.

    Parameters
    ----------
    labels : array of shape (n,)
        −1 if there is no label.
    probabilities : array of shape (n, classes)
        Predicted by a model that was not trained on the label of that image. A class that can't be
        judged has a column of zeros.
    near : array of shape (n, k)
        The nearest neighbors of each row.
    predicted : array of shape (n,), optional
        The predictions of a run's model for images that it was not trained on; −1 elsewhere.
    agreement
        Among the neighbors labeled i or j, the least fraction that must be labeled j.
    margin
        The least difference between the probabilities of j and i. Half of it is enough if
        `predicted` is j, too.

    Returns
    -------
    list of LabelError
        In descending order of the difference between the two probabilities.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    JAIR 70, 2021.
    """
    predicted = np.full(len(labels), -1) if predicted is None else predicted
    found: dict[int, LabelError] = {}
    for label, suggested, number in _estimated_errors(labels, probabilities):
        rows = np.flatnonzero(labels == label)
        lead = probabilities[rows, suggested] - probabilities[rows, label]
        for place in np.argsort(-lead, kind="stable")[:number]:
            row = int(rows[place])
            labeled = near[row][labels[near[row]] >= 0]
            agreeing = labeled[labels[labeled] == suggested]
            disagreeing = int((labels[labeled] == label).sum())
            needed = agreement * (len(agreeing) + disagreeing)
            confirmed = bool(predicted[row] == suggested)
            least = margin / 2 if confirmed else margin
            if lead[place] < least or not len(agreeing) or len(agreeing) < needed:
                continue
            error = LabelError(
                row=row,
                label=label,
                suggested=suggested,
                confidence=float(probabilities[row, suggested]),
                own=float(probabilities[row, label]),
                agreeing=len(agreeing) / len(labeled),
                neighbors=agreeing[:EVIDENCE].tolist(),
                confirmed=confirmed if predicted[row] >= 0 else None,
            )
            if row not in found or found[row].confidence < error.confidence:
                found[row] = error
    return sorted(found.values(), key=lambda error: (error.own - error.confidence, error.row))


def _estimated_errors(labels: Rows, probabilities: Floats) -> list[tuple[int, int, int]]:
    """Estimate, for each pair of classes (i, j), how many labels i should be j.

    The estimate is the normalized confident joint. Returns (i, j, count) for counts above 0.
    """
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
