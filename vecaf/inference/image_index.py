"""A dataset's images as a vision-language model sees them, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, unit_rows
from vecaf.config import RunConfig
from vecaf.datasets.pool import load_samples
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import count_missing, embed_files, embed_images
from vecaf.encoders.runtime import choose_device
from vecaf.encoders.vlm import VLM, load_vlm
from vecaf.errors import NotFoundError, UnavailableError
from vecaf.settings import Settings
from vecaf.store import Dataset, Store

if TYPE_CHECKING:
    from vecaf.evaluation.map_layout import Basis


MAX_WAIT = 1000  # images that are embedded while somebody waits: about ten seconds on a CPU


@dataclass(frozen=True)
class Gallery:
    """Images of one dataset in id order; labels and captions change, so they are not here.

    words   float32 (n, e), unit rows in the VLM's joint space: compared with sentences
    looks   float32 (n, ≤128), unit rows in the principal space of the VLM's image features:
            compared with images, for which the joint space of a small VLM is too coarse
    """

    settings: Settings
    vlm: VLM
    ids: NDArray[np.int64]
    words: Floats
    looks: Floats
    basis: Basis

    def texts(self, sentences: Sequence[str]) -> Floats:
        """Unit rows (m, e) of sentences."""
        reader = _reader(self.vlm.name, self.vlm.text_tower.fingerprint, self.settings.device)
        return reader.embed_texts(sentences)

    def look(self, path: Path) -> Floats:
        """An image file in the space of `looks`, (m,). Raises InputError for a broken one."""
        features = embed_files(self.vlm.image_encoder, [path], self.settings)
        row: Floats = unit_rows(self.basis.project(features))[0]
        return row

    def row_of(self, sample_id: int) -> int:
        """The row of a sample. Raises NotFoundError where it is not the dataset's."""
        return int(self.rows_of([sample_id])[0])

    def rows_of(self, sample_ids: Sequence[int]) -> NDArray[np.int64]:
        """The rows of samples (m,). Raises NotFoundError for one that is not the dataset's."""
        wanted = np.asarray(sample_ids, np.int64).reshape(-1)
        at = np.searchsorted(self.ids, wanted).clip(max=max(len(self.ids) - 1, 0))
        strange = wanted if not len(self.ids) else wanted[self.ids[at] != wanted]
        if len(strange):
            raise NotFoundError(f"There is no image {strange[0]} in this dataset.")
        return at


def open_gallery(store: Store, dataset: Dataset, vlm: str) -> Gallery:
    """Read the dataset's features from the embedding cache, computing a few that are missing.

    Raises UnavailableError where more than a few are: the map's task embeds them.
    """
    from vecaf.evaluation.map_layout import fit_basis

    settings = store.settings
    with store.read() as session:
        samples = load_samples(session, dataset, settings.images)
    size = pvm_for(RunConfig(), samples).preprocessing.image_size
    device = choose_device(settings.device)
    model = load_vlm(vlm, image_size=size, device=device, cache=settings.embeddings)
    missing = count_missing(model.image_encoder, samples.keys, settings)
    if missing > MAX_WAIT:
        raise UnavailableError(
            f"{missing:,} images of '{dataset.name}' have not been looked at yet. Search works "
            "once its map is ready."
        )
    features = embed_images(model.image_encoder, samples.keys, samples.path_of, settings=settings)
    basis = fit_basis(features)
    return Gallery(
        settings=settings,
        vlm=model,
        ids=samples.ids,
        words=model.embed_features(features),
        looks=unit_rows(basis.project(features)),
        basis=basis,
    )


@lru_cache(maxsize=2)
def _reader(vlm: str, fingerprint: str, device: str) -> VLM:
    """The text side for what people type: kept in memory, not in the cache of embeddings, which
    would gain a file for every search. fingerprint: other weights may come under the same name."""
    return load_vlm(vlm, device=choose_device(device))
