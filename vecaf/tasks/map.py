"""The map of a dataset: where its images lie, without and with their captions.

Files in the task's folder, each there as soon as it is ready; rows are the samples in id order:

    space.npy          float16 (n, ≤128), unit rows: what neighbours are looked for in
    pca.npy            float32 (n, 2)
    basis.npz          mean (d,) and components (d, ≤128): how later rows come into the space
    pca-text.npy       float32 (n, 2), captions pulled in (CEA), on the same axes as pca.npy
    caption-match.npy  float32 (n,), cosine of image and caption by the VLM, NaN without a caption
    umap.npy           float32 (n, 2)
    umap-text.npy      float32 (n, 2), the same map with each image moved as its captions move it
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.files import replacing
from vecaf.tasks.registry import TASKS, Work

SPACE, PCA, BASIS = "space.npy", "pca.npy", "basis.npz"


@TASKS.register
def map(
    work: Work, model: str = "efficientnet_lite0", vlm: str = "embedded", image_size: int = 0
) -> dict[str, Any]:
    """Embed the dataset and lay it out. The result names the files and the samples they are of."""
    from vecaf.config import RunConfig
    from vecaf.evaluation.layout import fit_basis, plane
    from vecaf.preparation import embed_samples, pvm_for

    samples = work.samples()
    settings = work.store.settings
    work.stage("Loading the model")
    pvm = pvm_for(RunConfig(model=model, vlm=vlm, image_size=image_size), samples)
    features, _ = embed_samples(pvm, samples, settings, work.progress("Looking at images"))
    work.stage("Finding the principal plane")
    basis = fit_basis(features)
    coordinates = basis.project(features)
    save(work.folder / PCA, plane(coordinates))
    length = np.linalg.norm(coordinates, axis=1, keepdims=True)
    space = coordinates / np.maximum(length, np.float32(1e-12))
    save(work.folder / SPACE, space.astype(np.float16))
    with replacing(work.folder / BASIS) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=basis.mean, components=basis.components)
    return {
        "ready": [SPACE, PCA, BASIS],
        "n": len(samples),
        "ids_sha": hashlib.sha256(samples.ids.astype("<i8").tobytes()).hexdigest(),
    }


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that a page finds it whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
