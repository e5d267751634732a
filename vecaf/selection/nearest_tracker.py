"""Track the nearest of k slowly moving centroids for each row.

The result is exact. Most scores are skipped, because an upper bound shows that they can't be the
highest of their row.

Bound of one centroid. Let s = f·c be the score of centroid c and unit row f. If the centroid then
moves by a total of P = Σ‖Δc‖, its score is at most s + P (Cauchy–Schwarz and the triangle
inequality). Each row keeps a list of its best centroids with these bounds, as Elkan (2003) does for
distances. A listed centroid is skipped if its bound is below the best score of the row.

Bound of all centroids outside the list. Most centroids move by similar amounts, so one bound
covers them:

- q is the 98% quantile of the centroids' movements in a step. Q is the sum of q over the steps.
- D = P − Q is how much farther than Q a centroid has moved. L = D − (its smallest D so far) is its
  lead. Since any earlier step, the centroid has moved by at most the growth of Q, plus L.
- B is the highest score outside the list minus Q, both at the time of listing. Every score outside
  the list is therefore at most B + Q + L.

Few centroids have a lead above 0, and these are compared one by one. For all others, if B + Q
reaches the best score of a row, the row is compared with all centroids by a matrix product, and
its list is computed again. Of equal scores, the lower index counts.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.parallel import spread

_CHUNK_SCORES = 2**21  # scores in memory: 8 MiB, the size of two cores' caches
_LISTED = 2**25  # entries of all lists: 256 MiB
_FILLED = 0.7  # share of a list that is used, if scores are normally distributed
_FAST = 0.02  # share of centroids that may have a lead


class NearestTracker:
    """Lists of candidate centroids for each row, kept from step to step.

    Parameters
    ----------
    rows
        Unit rows, float32 of shape (n, d).
    k
        Number of centroids.
    room
        Centroids in the list of a row; by default a tenth of them, at least 64.
    """

    def __init__(self, rows: Floats, k: int, room: int | None = None) -> None:
        n = len(rows)
        room = min(k, room or max(64, k // 10), max(8, _LISTED // n))
        self._rows = rows
        self._listed = np.zeros((n, room), dtype=np.int32)
        self._bound = np.zeros((n, room), dtype=np.float32)
        self._length = np.zeros(n, dtype=np.int32)
        self._outside = np.full(n, np.inf, dtype=np.float32)
        self._winner = np.zeros(n, dtype=np.int64)
        self._best = np.empty(n, dtype=np.float32)
        self._stale = np.ones(n, dtype=bool)
        self._path = np.zeros(k)
        self._lead = np.zeros(k)
        self._pace = 0.0
        self._spread = NormalDist().inv_cdf(1 - _FILLED * room / k) if room < k else 0.0
        self._before: Floats | None = None
        self.products = 0  # pairs compared by matrix products

    def find(self, centroids: Floats) -> tuple[Floats, Ids]:
        """Return score and index of the nearest centroid of each row, shape (n,) each.

        The next call overwrites the returned arrays.

        Parameters
        ----------
        centroids
            Unit rows, shape (k, d).
        """
        from vecaf.selection import compiled

        if self._before is not None:
            hot = self._advance(np.linalg.norm(centroids - self._before, axis=1))
            state = (
                self._listed, self._bound, self._length, self._outside, self._winner, self._best,
                self._stale,
            )  # fmt: skip
            path, lead = self._path.astype(np.float32), self._lead.astype(np.float32)
            pace = np.float32(self._pace)
            slack = np.float32(8 * np.finfo(np.float32).eps * (4 + path.max()))

            def verify(part: slice) -> None:
                own = (array[part] for array in state)
                compiled.verify(self._rows[part], centroids, path, pace, slack, lead, hot, *own)

            spread(verify, len(self._rows), at_least=1024)
        self._before = centroids.copy()
        self._refresh(centroids, np.flatnonzero(self._stale))
        return self._best, self._winner

    def _advance(self, step: Floats) -> Ids:
        """Add the movement (k,) of each centroid; return those with a lead, largest first."""
        pace = float(np.quantile(step, 1 - _FAST, method="higher"))
        self._path += step
        self._pace += pace
        self._lead = np.maximum(self._lead + step - pace, 0)
        hot = np.flatnonzero(self._lead)
        return hot[np.argsort(-self._lead[hot])]

    def _refresh(self, centroids: Floats, stale: Ids) -> None:
        """Compare the rows `stale` with all centroids and list them again."""
        import torch

        from vecaf.selection import compiled

        if not len(stale):
            return
        path, pace = self._path.astype(np.float32), np.float32(self._pace)
        distant = np.float32(self._spread)
        self.products += len(stale) * len(centroids)
        rows, targets = torch.from_numpy(self._rows), torch.from_numpy(centroids)
        step = max(64, _CHUNK_SCORES // len(centroids))
        for start in range(0, len(stale), step):
            ids = stale[start : start + step]
            scores = (rows[torch.from_numpy(ids)] @ targets.T).numpy()

            def relist(part: slice, ids: Ids = ids, scores: Floats = scores) -> None:
                compiled.relist(
                    scores[part], ids[part], path, pace, distant, self._listed, self._bound,
                    self._length, self._outside, self._winner, self._best,
                )  # fmt: skip

            spread(relist, len(ids), at_least=64)
