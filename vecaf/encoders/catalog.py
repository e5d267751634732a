"""The list of models: registered encoders, and tested models of the hub."""

from __future__ import annotations

from dataclasses import dataclass

from vecaf.encoders.vision_models import PVMS
from vecaf.encoders.vlm import VLMS
from vecaf.encoders.weights import in_hub_cache
from vecaf.errors import UnavailableError


@dataclass(frozen=True)
class ModelInfo:
    """One entry of the list.

    Attributes
    ----------
    name
        As in `load_pvm` or `load_vlm`.
    kind
        PVM or VLM.
    description
        One sentence.
    feature_dim
        Number of features; for a VLM, the dimension of the joint space.
    available
        Whether the weights are on this machine.
    """

    name: str
    kind: str
    description: str
    feature_dim: int
    available: bool


# Name, kind, description, feature_dim, hub repository and file. Any other timm or open_clip
# name works too.
FROM_THE_HUB = (
    (
        "vit_small_patch16_224.dino",
        "PVM",
        "ViT-S/16 trained without labels (DINO); VeCAF's paper uses it.",
        384,
        ("timm/vit_small_patch16_224.dino", "model.safetensors"),
    ),
    (
        "ViT-B-32/openai",
        "VLM",
        "OpenAI's CLIP ViT-B/32.",
        512,
        ("timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"),
    ),
)


def list_models() -> list[ModelInfo]:
    """List the models, installed ones first. Loads no framework and uses no network."""
    models = [_model(name, "PVM", PVMS[name].__doc__, *_dim_of_pvm(name)) for name in PVMS]
    models += [_model(name, "VLM", VLMS[name].__doc__, *_dim_of_vlm(name)) for name in VLMS]
    for name, kind, description, dim, file in FROM_THE_HUB:
        models.append(_model(name, kind, description, dim, in_hub_cache(*file) is not None))
    return models


def _model(name: str, kind: str, text: str | None, dim: int, available: bool) -> ModelInfo:
    return ModelInfo(name, kind, (text or "").splitlines()[0], dim, available)


def _dim_of_pvm(name: str) -> tuple[int, bool]:
    try:
        return PVMS[name]().feature_dim, True
    except UnavailableError:  # its package is not installed
        return 0, False


def _dim_of_vlm(name: str) -> tuple[int, bool]:
    try:
        return VLMS[name](image_size=None, device="cpu", cache=None).embed_dim, True
    except UnavailableError:  # its package is not installed
        return 0, False
