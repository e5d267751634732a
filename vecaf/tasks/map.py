"""Compute the map of a dataset: its images in two dimensions, with and without captions.

Files in the folder of the task, each written as soon as it is ready. Rows are samples in id order.

    space.npy          float16 (n, ≤128), unit rows: the space for neighbor searches
    pca.npy            float32 (n, 2)
    basis.npz          mean (d,) and components (d, ≤128): projects new rows to the space
    pca-text.npy       float32 (n, 2), features moved toward captions (CEA), on the axes of pca.npy
    caption-match.npy  float32 (n,), cosine of image and caption by the VLM, NaN without a caption
    umap.npy           float32 (n, 2)
    umap-text.npy      float32 (n, 2), the same map with features moved toward captions
    findings.json      see `vecaf.tasks.review`, for the labels at that time

An image whose file is missing or damaged has zeros in `space.npy`, and lies at the mean of the
others in the layouts.

A map is computed once. To place new images, project them with `map_layout.Basis` and then
interpolate between neighbors with `map_layout.place_rows`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.evaluation.map_layout import MIN_DIST
from vecaf.files import replacing
from vecaf.tasks.array_files import save_array
from vecaf.tasks.review import NAME as FINDINGS
from vecaf.tasks.review import find, write_findings
from vecaf.tasks.task import TASKS, TaskContext
from vecaf.tasks.unreadable import without_unreadable

if TYPE_CHECKING:
    from vecaf.encoders.pvm import PVM
    from vecaf.encoders.vlm import VLM

SPACE, PCA, BASIS, UMAP = "space.npy", "pca.npy", "basis.npz", "umap.npy"
PCA_TEXT, UMAP_TEXT, CAPTION_MATCH = "pca-text.npy", "umap-text.npy", "caption-match.npy"


@TASKS.register
def map(
    context: TaskContext,
    model: str = "efficientnet_lite0",
    vlm: str = "embedded",
    image_size: int = 0,
    min_dist: float = MIN_DIST,
) -> dict[str, Any]:
    """Embed the dataset and compute its layout.

    Parameters
    ----------
    min_dist
        UMAP's smallest distance between points, 0 to 1: small values give dense clusters.

    Returns
    -------
    The names of the files, the number of samples, and a hash of their ids.

    Raises
    ------
    InputError
        `min_dist` is not between 0 and 1, or a model can't be loaded.
    UnavailableError
        A model can't be loaded.
    """
    from vecaf.config import RunConfig
    from vecaf.encoders import load_vlm
    from vecaf.encoders.dataset_features import pvm_for
    from vecaf.encoders.runtime import choose_device

    if not 0 <= min_dist <= 1:
        raise InputError(f"min_dist must be between 0 and 1, not {min_dist:g}.")
    settings = context.store.settings
    every = context.samples()
    context.stage("Loading models")
    config = RunConfig(model=model, vlm=vlm, image_size=image_size)
    pvm = pvm_for(config, every)
    words = load_vlm(
        vlm,
        image_size=pvm.preprocessing.image_size,
        device=choose_device(settings.device),
        cache=settings.embeddings,
    )

    def work(lost: Rows) -> dict[str, Any]:
        kept = np.delete(np.arange(len(every)), lost)
        samples = every.take(kept)
        layout = Layout(context.folder, len(every), kept)
        return _compute(context, samples, layout, pvm, words, min_dist)

    found = without_unreadable(every, work)
    digest = hashlib.sha256(every.ids.astype("<i8").tobytes()).hexdigest()
    return found | {"n": len(every), "ids_sha": digest}


@dataclass
class Layout:
    """The files of a map of n samples. Only the rows `kept` are computed."""

    folder: Path
    n: int
    kept: Rows
    ready: list[str] = field(default_factory=list)

    def save(self, name: str, rows: NDArray[Any], other: float | None = None) -> None:
        """Write rows; samples without a row get the value `other`, or the mean of the rows."""
        complete = rows
        if len(rows) < self.n:
            filler = rows.mean(axis=0) if other is None else other
            complete = np.full((self.n, *rows.shape[1:]), filler, dtype=rows.dtype)
            complete[self.kept] = rows
        save_array(self.folder / name, complete)
        self.ready.append(name)


def _compute(
    context: TaskContext, samples: Samples, layout: Layout, pvm: PVM, words: VLM, min_dist: float
) -> dict[str, Any]:
    from vecaf.arrays import unit_rows
    from vecaf.arrays.principal_components import fit_basis
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import embed_samples
    from vecaf.evaluation.map_layout import first_two, layout_map

    progress = context.progress("Computing embeddings")
    features, _ = embed_samples(pvm, samples, context.store.settings, progress)
    context.stage("Computing principal components")
    basis = fit_basis(features)
    coordinates = basis.project(features)
    layout.save(PCA, first_two(coordinates))
    space = unit_rows(coordinates)
    layout.save(SPACE, space.astype(np.float16), 0.0)
    with replacing(layout.folder / BASIS) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=basis.mean, components=basis.components)
    layout.ready.append(BASIS)

    context.stage("Embedding captions")
    images = embed_in_joint_space(
        words, samples, features if words.image_encoder == pvm else None, context
    )
    pulled = move_toward_captions(samples, features, images, words, RunConfig().caption_weight)
    text = basis.project(pulled)
    del features, pulled
    layout.save(PCA_TEXT, first_two(text))
    layout.save(CAPTION_MATCH, caption_match(samples, images, words), np.nan)

    def report(stage: str, done: int, total: int) -> None:
        context.check()
        context.stage(stage, done, total)

    image_map, text_map = layout_map(
        space, unit_rows(text), first_two(coordinates), min_dist=min_dist, progress=report
    )
    layout.save(UMAP, image_map)
    layout.save(UMAP_TEXT, text_map)
    write_findings(layout.folder, find(context, samples, space))
    return {"ready": [*layout.ready, FINDINGS]}


def embed_in_joint_space(
    vlm: VLM, samples: Samples, features: Floats | None, context: TaskContext
) -> Floats:
    """Embed the images in the joint space of the VLM, (n, e).

    `features` are the PVM's if the VLM uses the same image encoder, or None.
    """
    if features is not None:
        return vlm.embed_features(features)
    return vlm.embed_images(
        samples.keys,
        samples.path_of,
        settings=context.store.settings,
        progress=context.progress("Computing embeddings with the vision-language model"),
    )


def move_toward_captions(
    samples: Samples, features: Floats, images: Floats, vlm: VLM, strength: float
) -> Floats:
    """Move features (n, d) toward captions, or toward the closest class name without a caption.

    Labels stay hidden, so these are the features that a first round selects from. A dataset without
    classes uses the class names of ImageNet.
    """
    from timm.data.imagenet_info import ImageNetInfo

    from vecaf.augmentation.text_guidance import TextGuidance

    guidance = TextGuidance(
        captions=samples.captions,
        classes=samples.classes or list(ImageNetInfo().label_descriptions()),
        strength=strength,
        encoder=EmbeddedImages(vlm, images),
    )
    rows = np.arange(len(samples))
    return guidance.pull(features, rows, np.full(len(samples), -1))


@dataclass(frozen=True)
class EmbeddedImages:
    """A VLM with the embeddings of all images of a dataset, shape (n, e)."""

    vlm: VLM
    images: Floats

    def embed_texts(self, texts: list[str]) -> Floats:
        return self.vlm.embed_texts(texts)

    def embed_rows(self, rows: Rows) -> Floats:
        return self.images[rows]

    def learned_shift(self, difference: Floats) -> None:
        """The map shows no target domain."""


def caption_match(samples: Samples, images: Floats, vlm: VLM) -> Floats:
    """Compute the cosine of each image (n, e) and its caption, (n,); NaN without a caption."""
    match = np.full(len(samples), np.nan, np.float32)
    own = [(row, caption) for row, caption in enumerate(samples.captions) if caption]
    if own:
        rows = [row for row, _ in own]
        texts = vlm.embed_texts([caption for _, caption in own])
        match[rows] = (images[rows] * texts).sum(axis=1)
    return match
