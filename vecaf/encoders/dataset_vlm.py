"""A vision-language model bound to the images of one dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from vecaf.arrays import Floats, Rows
from vecaf.datasets.pool import Samples
from vecaf.encoders.preprocessing import choose_image_size
from vecaf.encoders.projection import LearnedShift
from vecaf.encoders.pvm import PVM
from vecaf.encoders.runtime import Progress, choose_device
from vecaf.encoders.vlm import VLM, load_vlm
from vecaf.settings import Settings


class DatasetVLM:
    """Embed texts and a dataset's images with a VLM, which loads at first use.

    Parameters
    ----------
    name
        Of the VLM, as in `load_vlm`.
    samples
        The dataset.
    pvm
        The backbone. The installed VLM shares its features if both use the same network.
    settings
        Device and folder of the embedding cache.
    progress, should_stop
        Of long passes over images; see `embed_images`.
    """

    def __init__(
        self,
        name: str,
        samples: Samples,
        pvm: PVM,
        settings: Settings,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.name, self.samples, self.pvm, self.settings = name, samples, pvm, settings
        self.progress, self.should_stop = progress, should_stop

    @cached_property
    def vlm(self) -> VLM:
        """The model. Raises InputError or UnavailableError if it isn't available."""
        found = self._load(self.pvm.preprocessing.image_size)
        tower = found.image_encoder
        if not isinstance(tower, PVM):
            return found
        if tower.weights_sha256 != self.pvm.weights_sha256:
            # The size of the dataset's map, which has embedded the images at this size already.
            native = tower.native_size
            return self._load(choose_image_size(native, self.samples.short_sides))
        if tower.feature_dim == self.pvm.feature_dim:
            return replace(found, image_encoder=self.pvm)
        return found

    def _load(self, image_size: int | None) -> VLM:
        return load_vlm(
            self.name,
            image_size=image_size,
            device=choose_device(self.settings.device),
            cache=self.settings.embeddings,
        )

    def embed_texts(self, texts: list[str]) -> Floats:
        """Return unit rows (m, e) of m sentences."""
        return self.vlm.embed_texts(texts)

    def embed_rows(self, rows: Rows) -> Floats:
        """Return unit rows (n, e) of the dataset's images `rows`."""
        return self.vlm.embed_images(
            [self.samples.keys[row] for row in rows],
            self.samples.path_of,
            settings=self.settings,
            progress=self.progress,
            should_stop=self.should_stop,
        )

    def learned_shift(self, difference: Floats) -> LearnedShift | None:
        """Return what a difference of texts (e,) does to features of the backbone.

        None if the VLM hasn't learned that, or has learned it for another backbone.
        """
        if self.vlm.learned_shift is None or self.vlm.image_encoder != self.pvm:
            return None
        return self.vlm.learned_shift(difference)
