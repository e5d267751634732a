"""Which sentence stands for an image: the user's, else its label's, else a retrieved tag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TEMPLATE = "a photo of a {}"


def template(class_name: str) -> str:
    """'golden_retriever' → 'a photo of a golden retriever'."""
    return TEMPLATE.format(class_name.replace("_", " "))


def captions_for(
    own: Sequence[str | None],
    labels: NDArray[np.int64],
    tags: NDArray[np.int64],
    classes: Sequence[str],
) -> list[str]:
    """One caption for every image.

    `own` (n): the users' sentences or None. `labels` (n,): indices into `classes`, −1 for every
    label that may not be looked at. `tags` (n,): the classes that images look like, see
    `nearest_tags`.
    """
    sentences = [template(name) for name in classes]
    return [
        sentence or sentences[label if label >= 0 else tag]
        for sentence, label, tag in zip(own, labels, tags, strict=True)
    ]


def nearest_tags(images: NDArray[np.float32], vocabulary: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each image embedding (n, d) the nearest word embedding's row (n,); unit rows both."""
    nearest: NDArray[np.int64] = (images @ vocabulary.T).argmax(axis=1)
    return nearest
