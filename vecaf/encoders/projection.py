"""The projection of the installed VLM: features of EfficientNet-Lite0 to the space of MiniLM, and
back.

Both towers are frozen (LiT, Zhai et al. 2022, arXiv 2111.07991). The projection was fitted by
`tools/projection` on photos in many domains, with sentences that name them. The embedding of an
image is a sum:
- content: ConSE on features whose channels are shifted and scaled to the mean and spread of clean
  photos, by the predicted domain, plus a ridge map fitted on all domains;
- style: the embeddings of the domains' sentences, weighted by the predicted domain.
In the other direction, `learned_shift` returns what the words of a domain do to features of photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from vecaf.arrays import Floats, softmax, unit_rows
from vecaf.encoders.weights import package_data

FILE = package_data("projection.safetensors")
SMALL = 160  # below this image size, features are those of enlarged 32-pixel images
SOFTENING = 0.05  # added to standard deviations, which are near zero in some channels
CLASS_TEMPERATURE = 2.0  # as in `conse`
DOMAIN_TEMPERATURE = 3.0
RIDGE_WEIGHT = 3.0  # of the ridge map, relative to ConSE
SHARPNESS = 0.05  # of the softmax over domains by the cosine of their words
MIN_SHARE = 0.05  # of a domain in a shift


@dataclass(frozen=True)
class LearnedShift:
    """How words change features, in lengths of a centered feature row.

    A photo moves by `mean` + g @ `spread`, with g from a standard normal.

    Attributes
    ----------
    mean
        Shape (d,).
    spread
        Shape (r, d).
    nearness
        Cosine between the words and the most similar words that the projection was fitted on.
    names
        Domains that the words are interpreted as, with their shares.
    """

    mean: Floats
    spread: Floats
    nearness: float
    names: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Projection:
    """The fitted tensors by name, and the names of the domains."""

    tensors: dict[str, Floats]
    names: tuple[str, ...]

    def project(self, features: Floats, weight: Floats, bias: Floats) -> Floats:
        """Project features to text space.

        Parameters
        ----------
        features
            Shape (n, d).
        weight, bias
            Of the backbone's classifier, shapes (c, d) and (c,).

        Returns
        -------
        float32 array of shape (n, e)
        """
        t = self.tensors
        scores = features @ t["style.weight"] + t["style.bias"]
        logits = self.restored(features, scores) @ weight.T + bias
        content = unit_rows(softmax(logits, CLASS_TEMPERATURE) @ t["content.classes"])
        content += RIDGE_WEIGHT * ((features - t["ridge.mean"]) @ t["ridge.weight"])
        style = softmax(scores + t["style.lean"], 1.0) @ t["style.places"]
        return np.asarray(content + style, np.float32)

    def restored(self, features: Floats, scores: Floats) -> Floats:
        """Shift and scale features (n, d) to the channel means and spreads of clean photos.

        `scores` (n, domains) predict the domain of each image.
        """
        t = self.tensors
        share = softmax(scores, DOMAIN_TEMPERATURE)
        mean, spread = share @ t["domain.mean"], np.sqrt(share @ t["domain.std"] ** 2)
        scale = (t["clean.std"] + SOFTENING) / (spread + SOFTENING)
        return np.asarray(np.maximum((features - mean) * scale + t["clean.mean"], 0), np.float32)

    def learned_shift(self, difference: Floats, image_size: int) -> LearnedShift:
        """Return how a difference of text embeddings changes features.

        Parameters
        ----------
        difference
            Shifted − plain, shape (e,).
        image_size
            At which the features were computed, in pixels.
        """
        t = self.tensors
        size = "small" if image_size < SMALL else "large"
        cosines = unit_rows(t["words.rows"]) @ unit_rows(difference[None])[0]
        owner = t["words.domain"].astype(np.int64)
        best = np.full(len(self.names), -1.0, np.float32)
        np.maximum.at(best, owner, cosines)
        share = softmax(best[None], SHARPNESS)[0]
        share[share < MIN_SHARE] = 0
        share /= share.sum()
        kept = np.flatnonzero(share)
        means, spreads = t[f"{size}.mean"][kept], t[f"{size}.spread"][kept]
        mean = share[kept] @ means
        # Mean and covariance of a mixture: spread within domains, and between them.
        root = np.sqrt(share[kept])[:, None]
        spread = np.concatenate([(root[:, None] * spreads).reshape(-1, len(mean))])
        if len(kept) > 1:
            spread = np.concatenate([spread, root * (means - mean)])
        order = kept[np.argsort(-share[kept])]
        named = tuple((self.names[k], float(share[k])) for k in order)
        return LearnedShift(mean, spread, float(cosines.max()), named)


@lru_cache(maxsize=2)
def load_projection(file: Path = FILE) -> Projection:
    """Load the projection of the package, or another file of `tools/projection`."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as kept:
        tensors = {key: kept.get_tensor(key).astype(np.float32) for key in kept.keys()}  # noqa: SIM118
        return Projection(tensors, tuple(kept.metadata()["domains"].split()))
