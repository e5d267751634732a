"""The embedded VLM's projection: EfficientNet-Lite0's features into MiniLM's space, and back.

Both towers are frozen (LiT, Zhai et al. 2022, arXiv 2111.07991); what lies between them was fitted
by `lit` on photos under many domains with sentences that name them. An image's row adds up
- what is there: ConSE on features whose channels have the mean and spread of clean photos again,
  by the domain that they seem to come from, plus a ridge map fitted on all domains;
- what it looks like: the place of the domain's sentences, by how much it seems to be of them.
In the other direction, `learned_shift` returns what the words of a domain do to features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from vecaf.arrays import Floats, softmax, unit_rows

FILE = Path(__file__).parent / "data" / "projection.safetensors"
SMALL = 160  # below this input size features move as those of enlarged 32-pixel images do
SOFTENED = 0.05  # added to deviations, of which some channels have next to none
TEMPERATURE = 2.0  # of the 1000 classes, as in `conse`
DOUBT = 3.0  # temperature of the domains
FITTED = 3.0  # weight of the ridge map beside ConSE
SHARPNESS = 0.05  # of the softmax over domains by the cosine of their words
LEAST_SHARE = 0.05  # of a domain in what words do


@dataclass(frozen=True)
class LearnedShift:
    """What words do to features, in lengths of a centred feature row.

    A photo moves by `mean` + g @ `spread`, g standard normal: mean (d,), spread (r, d).
    nearness: the cosine, −1 to 1, between the words and the nearest that the map was fitted on;
    names: the domains that they were taken for, with their shares.
    """

    mean: Floats
    spread: Floats
    nearness: float
    names: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Projection:
    """The tensors by name, as `lit` writes them, and the names of the domains."""

    tensors: dict[str, Floats]
    names: tuple[str, ...]

    def project(self, features: Floats, weight: Floats, bias: Floats) -> Floats:
        """Text-space rows (n, d_t) of features (n, d), with the PVM's classifier (c, d), (c,)."""
        t = self.tensors
        scores = features @ t["style.weight"] + t["style.bias"]
        logits = self.restored(features, scores) @ weight.T + bias
        content = unit_rows(softmax(logits, TEMPERATURE) @ t["content.classes"])
        content += FITTED * ((features - t["ridge.mean"]) @ t["ridge.weight"])
        style = softmax(scores + t["style.lean"], 1.0) @ t["style.places"]
        return np.asarray(content + style, np.float32)

    def restored(self, features: Floats, scores: Floats) -> Floats:
        """Features (n, d) with the channels' mean and spread of clean photos: by the mixture of
        domains that `scores` (n, k) stand for."""
        t = self.tensors
        share = softmax(scores, DOUBT)
        mean, spread = share @ t["domain.mean"], np.sqrt(share @ t["domain.std"] ** 2)
        scale = (t["clean.std"] + SOFTENED) / (spread + SOFTENED)
        return np.asarray(np.maximum((features - mean) * scale + t["clean.mean"], 0), np.float32)

    def learned_shift(self, difference: Floats, image_size: int) -> LearnedShift:
        """What a difference of texts (d_t,), shifted − plain, does to features made at a size."""
        t = self.tensors
        size = "small" if image_size < SMALL else "large"
        cosines = unit_rows(t["words.rows"]) @ unit_rows(difference[None])[0]
        owner = t["words.domain"].astype(np.int64)
        best = np.full(len(self.names), -1.0, np.float32)
        np.maximum.at(best, owner, cosines)
        share = softmax(best[None], SHARPNESS)[0]
        share[share < LEAST_SHARE] = 0
        share /= share.sum()
        kept = np.flatnonzero(share)
        means, spreads = t[f"{size}.mean"][kept], t[f"{size}.spread"][kept]
        mean = share[kept] @ means
        # The mixture's own mean and covariance: spread inside the domains, and between them.
        root = np.sqrt(share[kept])[:, None]
        spread = np.concatenate([(root[:, None] * spreads).reshape(-1, len(mean))])
        if len(kept) > 1:
            spread = np.concatenate([spread, root * (means - mean)])
        order = kept[np.argsort(-share[kept])]
        named = tuple((self.names[k], float(share[k])) for k in order)
        return LearnedShift(mean, spread, float(cosines.max()), named)


@lru_cache(maxsize=2)
def load_projection(file: Path = FILE) -> Projection:
    """The projection that ships, or another file that `lit` wrote."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as kept:
        tensors = {key: kept.get_tensor(key).astype(np.float32) for key in kept.keys()}  # noqa: SIM118
        return Projection(tensors, tuple(kept.metadata()["domains"].split()))
