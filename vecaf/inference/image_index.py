"""The image embeddings of a dataset in memory, for searches and label suggestions."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, unit_rows
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.encoders.cache import digests_of, gather
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import count_missing, embed_files, embed_images, open_set
from vecaf.encoders.mapped_features import MappedFeatures
from vecaf.encoders.runtime import choose_device
from vecaf.encoders.vlm import VLM, load_vlm
from vecaf.errors import NotFoundError, UnavailableError
from vecaf.settings import Settings
from vecaf.store import Dataset, Store

if TYPE_CHECKING:
    from vecaf.arrays.principal_components import Basis


MAX_EMBEDDED_NOW = 1000  # images to embed while a user waits: about ten seconds on a CPU


@dataclass(frozen=True)
class ImageIndex:
    """Embeddings of the images of one dataset, in id order, without labels and captions.

    Attributes
    ----------
    joint
        float32 (n, e), unit rows in the joint space of the VLM, to compare with texts.
    visual
        float32 (n, ≤128), unit rows of the principal components of the VLM's image features, to
        compare with images. The joint space of a small VLM is too coarse for that.
    features
        Centered features of the VLM's image encoder, on disk, to fit a head to.
    """

    settings: Settings
    vlm: VLM
    ids: NDArray[np.int64]
    joint: Floats
    visual: Floats
    basis: Basis
    features: MappedFeatures

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Embed texts in the joint space: unit rows (m, e)."""
        vlm = _text_encoder(self.vlm.name, self.vlm.text_tower.fingerprint, self.settings.device)
        return vlm.embed_texts(texts)

    def embed_file(self, path: Path) -> Floats:
        """Embed an image file in the visual space, (m,). Raises InputError if it is unreadable."""
        features = embed_files(self.vlm.image_encoder, [path], self.settings)
        row: Floats = unit_rows(self.basis.project(features))[0]
        return row

    def load_image_encoder(self) -> None:
        """Load the image encoder before the first search by image."""
        from PIL import Image

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.png"
            Image.new("RGB", (64, 64)).save(path)
            self.embed_file(path)

    def row_of(self, sample_id: int) -> int:
        """Return the row of a sample. Raises NotFoundError if the dataset does not contain it."""
        return int(self.rows_of([sample_id])[0])

    def rows_of(self, sample_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of samples (m,). Raises NotFoundError if the dataset lacks one."""
        wanted = np.asarray(sample_ids, np.int64).reshape(-1)
        rows = np.searchsorted(self.ids, wanted).clip(max=max(len(self.ids) - 1, 0))
        unknown = wanted if not len(self.ids) else wanted[self.ids[rows] != wanted]
        if len(unknown):
            raise NotFoundError(f"This dataset has no image {unknown[0]}.")
        return rows


def load_image_index(store: Store, dataset: Dataset, vlm: str) -> ImageIndex:
    """Load embeddings from the cache, and compute up to MAX_EMBEDDED_NOW missing ones.

    Raises UnavailableError if more are missing; the task of the map computes them.
    """
    from vecaf.arrays.principal_components import fit_basis

    settings = store.settings
    samples, model = _samples_and_model(store, dataset, vlm)
    missing = count_missing(model.image_encoder, samples.keys, settings)
    if missing > MAX_EMBEDDED_NOW:
        raise UnavailableError(
            f"'{dataset.name}' has {missing:,} images without embeddings. Search and label "
            "suggestions are available when all images are embedded."
        )
    if missing:
        embed_images(model.image_encoder, samples.keys, samples.path_of, settings=settings)
    stored, keys = open_set(model.image_encoder, settings), digests_of(samples.keys)
    features = gather(stored, keys)
    basis = fit_basis(features)
    return ImageIndex(
        settings=settings,
        vlm=model,
        ids=samples.ids,
        joint=model.embed_features(features),
        visual=unit_rows(basis.project(features)),
        basis=basis,
        features=MappedFeatures.of(stored, keys, features, samples.pool),
    )


def is_embedded(store: Store, dataset: Dataset, vlm: str) -> bool:
    """Return whether the cache has the embeddings of all images of a dataset."""
    samples, model = _samples_and_model(store, dataset, vlm)
    return not count_missing(model.image_encoder, samples.keys, store.settings)


def load_text_encoder(store: Store, vlm: str) -> None:
    """Load the text encoder of a VLM before the first text search."""
    device = choose_device(store.settings.device)
    model = load_vlm(vlm, device=device, cache=store.settings.embeddings)
    _text_encoder(vlm, model.text_tower.fingerprint, store.settings.device).embed_texts(["a photo"])


def _samples_and_model(store: Store, dataset: Dataset, vlm: str) -> tuple[Samples, VLM]:
    settings = store.settings
    with store.read() as session:
        samples = load_samples(session, dataset, settings.images)
    size = pvm_for(RunConfig(), samples).preprocessing.image_size
    device = choose_device(settings.device)
    return samples, load_vlm(vlm, image_size=size, device=device, cache=settings.embeddings)


@lru_cache(maxsize=2)
def _text_encoder(vlm: str, fingerprint: str, device: str) -> VLM:
    """Load a VLM for search texts, whose embeddings stay in memory instead of the cache on disk.

    `fingerprint` distinguishes weights with the same name.
    """
    return load_vlm(vlm, device=choose_device(device))
