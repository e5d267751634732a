"""The list of models: registered encoders, and tested models of the hub."""

from __future__ import annotations

from dataclasses import dataclass

from vecaf.encoders.vision_models import PVMS
from vecaf.encoders.vlm import VLMS
from vecaf.encoders.weights import local_copy
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
    parameters
        Millions of parameters; for models of the hub, of the image encoder. A million takes 4 MB.
    image_size
        Side of the square images that it was trained at, in pixels.
    license
        License of the weights, as an SPDX identifier where there is one.
    """

    name: str
    kind: str
    description: str
    feature_dim: int
    available: bool
    parameters: float
    image_size: int
    license: str


@dataclass(frozen=True)
class HubModel:
    """A model of the hub, with the facts that the hub states about it."""

    name: str
    description: str
    feature_dim: int
    parameters: float
    image_size: int
    license: str
    repository: str
    kind: str = "PVM"
    filename: str = "model.safetensors"


APACHE, DINOV3, MIT = "Apache-2.0", "DINOv3 License", "MIT"


def _timm(
    name: str, description: str, feature_dim: int, parameters: float, size: int, license: str
) -> HubModel:
    return HubModel(name, description, feature_dim, parameters, size, license, f"timm/{name}")


FROM_THE_HUB = (
    _timm("vit_small_patch16_224.dino", "ViT-S/16 trained without labels (DINO); VeCAF's paper "
          "uses it.", 384, 21.7, 224, APACHE),
    _timm("vit_small_patch14_dinov2.lvd142m", "DINOv2 ViT-S/14, trained without labels.",
          384, 22.1, 518, APACHE),
    _timm("vit_base_patch14_dinov2.lvd142m", "DINOv2 ViT-B/14, trained without labels.",
          768, 86.6, 518, APACHE),
    _timm("vit_small_patch16_dinov3.lvd1689m", "DINOv3 ViT-S/16, trained without labels.",
          384, 21.6, 256, DINOV3),
    _timm("vit_base_patch16_dinov3.lvd1689m", "DINOv3 ViT-B/16, trained without labels.",
          768, 85.6, 256, DINOV3),
    _timm("convnext_tiny.dinov3_lvd1689m", "ConvNeXt-T trained by DINOv3.",
          768, 27.8, 224, DINOV3),
    _timm("convnext_tiny.fb_in22k", "ConvNeXt-T trained on ImageNet-22k.",
          768, 27.8, 224, APACHE),
    _timm("vit_base_patch16_siglip_224.v2_webli", "The image tower of SigLIP 2 ViT-B/16.",
          768, 92.9, 224, APACHE),
    _timm("vit_base_patch16_clip_224.openai", "The image tower of OpenAI's CLIP ViT-B/16.",
          768, 85.8, 224, APACHE),
    _timm("efficientnet_b0.ra_in1k", "EfficientNet-B0 trained on ImageNet-1k; small and fast.",
          1280, 4.0, 224, APACHE),
    _timm("resnet50.a1_in1k", "ResNet-50 trained on ImageNet-1k.", 2048, 23.5, 224, APACHE),
    HubModel("ViT-B-32/openai", "OpenAI's CLIP ViT-B/32.", 512, 87.5, 224, APACHE,
             "timm/vit_base_patch32_clip_224.openai", "VLM", "open_clip_model.safetensors"),
    HubModel("ViT-B-16-SigLIP2/webli", "SigLIP 2 ViT-B/16.", 768, 92.9, 224, APACHE,
             "timm/ViT-B-16-SigLIP2", "VLM", "open_clip_model.safetensors"),
    HubModel("ViT-B-32/laion2b_s34b_b79k", "OpenCLIP ViT-B/32 trained on LAION-2B.", 512, 87.5, 224,
             MIT, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "VLM", "open_clip_model.safetensors"),
)  # fmt: skip
"""Any other timm or open_clip name works too."""

INSTALLED = {
    "efficientnet_lite0": (4.7, 224, APACHE),
    "efficientnet_lite2": (6.1, 260, APACHE),
    "embedded": (27.0, 224, APACHE),
}
"""Millions of parameters, image size, and license of each registered model."""


def list_models() -> list[ModelInfo]:
    """List the models, installed ones first. Loads no framework and uses no network."""
    models = [_registered(name, "PVM", PVMS[name].__doc__, *_dim_of_pvm(name)) for name in PVMS]
    models += [_registered(name, "VLM", VLMS[name].__doc__, *_dim_of_vlm(name)) for name in VLMS]
    for one in FROM_THE_HUB:
        available = local_copy(one.repository, one.filename) is not None
        models.append(
            ModelInfo(one.name, one.kind, one.description, one.feature_dim, available,
                      one.parameters, one.image_size, one.license)
        )  # fmt: skip
    return models


def _registered(name: str, kind: str, text: str | None, dim: int, available: bool) -> ModelInfo:
    description = (text or "").splitlines()[0]
    return ModelInfo(name, kind, description, dim, available, *INSTALLED[name])


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
