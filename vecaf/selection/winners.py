"""Which of k slowly moving centroids wins each row: exact at every step, mostly without looking.

A centroid c that has come a way P = Σ‖Δc‖ since its score s = f·c with a unit row f was computed
scores at most s + P now: |f·c' − f·c| ≤ ‖f‖·‖c' − c‖ ≤ P (Cauchy–Schwarz, then the triangle
inequality). So each row keeps a short list of its best centroids, each with such a bound (Elkan
2003, with scores for distances). A listed centroid whose bound is below the row's best score of
today need not be looked at.

One bound holds for all others. Let a pacemaker move at each step as far as all but the fastest 2%
of centroids, Q in all, and let D = P − Q. Since any earlier moment a centroid has come at most the
pacemaker's way since then plus its lead L = D − (the least D so far). With B the highest score
outside the list, less Q, when the list was made, others score at most B + Q + L. Hardly any have a
lead; they are looked at where that matters. Where B + Q alone reaches the best score, the row is
compared with every centroid, by matrix product, and listed afresh. Winners are those of the dense
form, ties to the lower index.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.parallel import spread

_BLOCK_SCORES = 2**21  # scores made at once: 8 MiB, about what two cores' caches hold
_LISTED = 2**25  # entries that all lists may have together: 256 MiB
_FILLED = 0.7  # of a list, if a row's scores are normally distributed
_FAST = 0.02  # share of centroids that may outrun the pacemaker


class Winners:
    """The rows' lists of candidates, kept from step to step."""

    def __init__(self, rows: Floats, k: int, room: int | None = None) -> None:
        """rows float32 (n, d), unit rows; k centroids will be asked about.

        room  centroids that a row may list; a tenth of them by default, and at least 64
        """
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
        self.products = 0  # pairs of a row and a centroid that were compared by matrix product

    def find(self, centroids: Floats) -> tuple[Floats, Ids]:
        """Score and index of each row's winner among unit centroids (k, d): (n,) and (n,).

        The arrays are the object's own: the next call overwrites them.
        """
        from vecaf.selection import kernels

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
                kernels.verify(self._rows[part], centroids, path, pace, slack, lead, hot, *own)

            spread(verify, len(self._rows), at_least=1024)
        self._before = centroids.copy()
        self._refresh(centroids, np.flatnonzero(self._stale))
        return self._best, self._winner

    def _advance(self, step: Floats) -> Ids:
        """Note how far each centroid has come, (k,). Returns those with a lead, largest first."""
        pace = float(np.quantile(step, 1 - _FAST, method="higher"))
        self._path += step
        self._pace += pace
        self._lead = np.maximum(self._lead + step - pace, 0)
        hot = np.flatnonzero(self._lead)
        return hot[np.argsort(-self._lead[hot])]

    def _refresh(self, centroids: Floats, stale: Ids) -> None:
        """Compare the rows `stale` with all centroids and list them afresh."""
        import torch

        from vecaf.selection import kernels

        if not len(stale):
            return
        path, pace = self._path.astype(np.float32), np.float32(self._pace)
        distant = np.float32(self._spread)
        self.products += len(stale) * len(centroids)
        rows, targets = torch.from_numpy(self._rows), torch.from_numpy(centroids)
        step = max(64, _BLOCK_SCORES // len(centroids))
        for start in range(0, len(stale), step):
            ids = stale[start : start + step]
            scores = (rows[torch.from_numpy(ids)] @ targets.T).numpy()

            def relist(part: slice, ids: Ids = ids, scores: Floats = scores) -> None:
                kernels.relist(
                    scores[part], ids[part], path, pace, distant, self._listed, self._bound,
                    self._length, self._outside, self._winner, self._best,
                )  # fmt: skip

            spread(relist, len(ids), at_least=64)
