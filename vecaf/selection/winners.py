"""Which of k slowly moving centroids wins each row: exact at every step, mostly without looking.

A centroid c that has come a way P = Σ‖Δc‖ since its score s = f·c with a unit row f was computed
scores at most s + P now: |f·c' − f·c| ≤ ‖f‖·‖c' − c‖ ≤ P (Cauchy–Schwarz, then the triangle
inequality). So each row keeps a short list of its best centroids, each with such a bound (Elkan
2003, with the angle's cosine for the distance), and one bound for all others: the highest score
outside the list plus the longest way that any centroid has come since the list was made. A listed
centroid whose bound is below the row's best score today need not be looked at; where the bound of
all others is, the winner is certain. Where it isn't, the row is compared with every centroid, by
matrix product, and listed afresh. Winners are those of the dense form, ties to the lower index.
"""

from __future__ import annotations

import numpy as np

from vecaf.selection.pool import Floats, Ids
from vecaf.selection.threads import spread

_BLOCK_SCORES = 2**21  # scores made at once: 8 MiB, about what two cores' caches hold
_LISTED = 2**25  # entries that all lists may have together: 256 MiB


class Winners:
    """The rows' lists of candidates, kept from step to step."""

    def __init__(self, rows: Floats, k: int) -> None:
        """rows float32 (n, d), unit rows; k centroids will be asked about."""
        n = len(rows)
        room = min(k, max(32, k // 16), max(8, _LISTED // max(n, 1)))
        self._rows = rows
        self._listed = np.zeros((n, room), dtype=np.int32)
        self._bound = np.zeros((n, room), dtype=np.float32)
        self._length = np.zeros(n, dtype=np.int32)
        self._outside = np.full(n, np.inf, dtype=np.float32)
        self._epoch = np.zeros(n, dtype=np.int32)
        self._winner = np.zeros(n, dtype=np.int64)
        self._best = np.empty(n, dtype=np.float32)
        self._stale = np.ones(n, dtype=bool)
        self._path = np.zeros(k, dtype=np.float32)
        self._paths: list[Floats] = [self._path]  # as they were when lists were made, by epoch
        self._before: Floats | None = None
        self.products = 0  # pairs of a row and a centroid that were compared by matrix product

    def find(self, centroids: Floats) -> tuple[Floats, Ids]:
        """Score and index of each row's winner among unit centroids (k, d): (n,) and (n,).

        The arrays are the object's own: the next call overwrites them.
        """
        from vecaf.selection import kernels

        if self._before is not None:
            step = np.linalg.norm(centroids - self._before, axis=1)
            self._path = self._path + step
            rise = np.array([(self._path - then).max() for then in self._paths])
            arrays = (self._listed, self._bound, self._length, self._outside)
            state = (self._epoch, self._winner, self._best, self._stale)

            def verify(part: slice) -> None:
                kernels.verify(
                    self._rows[part], centroids, self._path, *(each[part] for each in arrays),
                    rise, *(each[part] for each in state),
                )  # fmt: skip

            spread(verify, len(self._rows), at_least=1024)
        self._before = centroids.copy()
        self._refresh(centroids, np.flatnonzero(self._stale))
        return self._best, self._winner

    def _refresh(self, centroids: Floats, stale: Ids) -> None:
        """Compare the rows `stale` with all centroids and list them afresh."""
        import torch

        from vecaf.selection import kernels

        if not len(stale):
            return
        self._paths.append(self._path)
        self._epoch[stale] = len(self._paths) - 1
        self.products += len(stale) * len(centroids)
        rows, targets = torch.from_numpy(self._rows), torch.from_numpy(centroids)
        step = max(64, _BLOCK_SCORES // len(centroids))
        for start in range(0, len(stale), step):
            ids = stale[start : start + step]
            scores = (rows[torch.from_numpy(ids)] @ targets.T).numpy()

            def relist(part: slice, ids: Ids = ids, scores: Floats = scores) -> None:
                kernels.relist(
                    scores[part], ids[part], self._path, self._listed, self._bound, self._length,
                    self._outside, self._winner, self._best,
                )  # fmt: skip

            spread(relist, len(ids), at_least=64)
