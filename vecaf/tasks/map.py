"""The map of a dataset: where its images lie, without and with their captions.

Files in the task's folder, each there as soon as it is ready; rows are the samples in id order:

    space.npy          float16 (n, ≤128), unit rows: what neighbours are looked for in
    pca.npy            float32 (n, 2)
    basis.npz          mean (d,) and components (d, ≤128): how later rows come into the space
    pca-text.npy       float32 (n, 2), captions pulled in (CEA), on the same axes as pca.npy
    caption-match.npy  float32 (n,), cosine of image and caption by the VLM, NaN without a caption
    umap.npy           float32 (n, 2)
    umap-text.npy      float32 (n, 2), the same map with each image moved as its captions move it
    findings.json      see `vecaf.tasks.review`, with the labels as they were

A map is made once. Images that are added later are placed on it: `map_layout.Basis`, stored in
basis.npz, projects them into the space, and `map_layout.place_rows` places them between their
nearest neighbors in umap.npy. No fitted object is stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.datasets.pool import Samples
from vecaf.files import replacing
from vecaf.tasks.array_files import save
from vecaf.tasks.review import NAME as FINDINGS
from vecaf.tasks.review import find, write_findings
from vecaf.tasks.task import TASKS, Work

if TYPE_CHECKING:
    from vecaf.encoders.vlm import VLM

SPACE, PCA, BASIS, UMAP = "space.npy", "pca.npy", "basis.npz", "umap.npy"
PCA_TEXT, UMAP_TEXT, CAPTION_MATCH = "pca-text.npy", "umap-text.npy", "caption-match.npy"


@TASKS.register
def map(
    work: Work, model: str = "efficientnet_lite0", vlm: str = "embedded", image_size: int = 0
) -> dict[str, Any]:
    """Embed the dataset and lay it out. The result names the files and the samples they are of.

    Raises InputError or UnavailableError for a model that can't be had.
    """
    from vecaf.arrays import unit_rows
    from vecaf.config import RunConfig
    from vecaf.encoders import load_vlm
    from vecaf.encoders.dataset_features import embed_samples, pvm_for
    from vecaf.encoders.runtime import choose_device
    from vecaf.evaluation.map_layout import first_two, fit_basis, layout_map

    settings = work.store.settings
    samples = work.samples()
    ready = []

    def keep(name: str, array: NDArray[Any]) -> None:
        save(work.folder / name, array)
        ready.append(name)

    work.stage("Loading the models")
    config = RunConfig(model=model, vlm=vlm, image_size=image_size)
    pvm = pvm_for(config, samples)
    words = load_vlm(
        vlm,
        image_size=pvm.preprocessing.image_size,
        device=choose_device(settings.device),
        cache=settings.embeddings,
    )
    features, _ = embed_samples(pvm, samples, settings, work.progress("Looking at images"))

    work.stage("Finding the principal plane")
    basis = fit_basis(features)
    coordinates = basis.project(features)
    keep(PCA, first_two(coordinates))
    space = unit_rows(coordinates)
    keep(SPACE, space.astype(np.float16))
    with replacing(work.folder / BASIS) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=basis.mean, components=basis.components)
    ready.append(BASIS)

    work.stage("Reading captions")
    images = see(words, samples, features if words.image_encoder == pvm else None, work)
    pulled = pull(samples, features, images, words, config.text_pull)
    text = basis.project(pulled)
    del features, pulled
    keep(PCA_TEXT, first_two(text))
    keep(CAPTION_MATCH, caption_match(samples, images, words))

    def say(stage: str, done: int, total: int) -> None:
        work.check()
        work.stage(stage, done, total)

    image_map, text_map = layout_map(space, unit_rows(text), first_two(coordinates), progress=say)
    keep(UMAP, image_map)
    keep(UMAP_TEXT, text_map)
    write_findings(work.folder, find(work, samples, space))
    return {
        "ready": [*ready, FINDINGS],
        "n": len(samples),
        "ids_sha": hashlib.sha256(samples.ids.astype("<i8").tobytes()).hexdigest(),
    }


def see(vlm: VLM, samples: Samples, features: Floats | None, work: Work) -> Floats:
    """The images in the VLM's joint space (n, e); `features` where its encoder is the PVM."""
    if features is not None:
        return vlm.embed_features(features)
    return vlm.embed_images(
        samples.keys,
        samples.path_of,
        settings=work.store.settings,
        progress=work.progress("Looking at images with the vision-language model"),
    )


def pull(samples: Samples, features: Floats, images: Floats, vlm: VLM, strength: float) -> Floats:
    """Features (n, d) pulled toward captions: people's own, else a retrieved class name.

    Labels are hidden, so the view is the one that a first round selects in. A dataset that has no
    classes yet is described in ImageNet's.
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
    """Cosine of each image (n, e) with its own caption, NaN where it has none: (n,)."""
    match = np.full(len(samples), np.nan, np.float32)
    own = [(row, caption) for row, caption in enumerate(samples.captions) if caption]
    if own:
        rows = [row for row, _ in own]
        texts = vlm.embed_texts([caption for _, caption in own])
        match[rows] = (images[rows] * texts).sum(axis=1)
    return match
