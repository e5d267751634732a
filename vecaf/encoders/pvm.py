"""A pretrained vision model (PVM): the backbone that embeds images and is finetuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecaf.encoders.preprocessing import Preprocessing, choose_image_size
from vecaf.encoders.views import FEATURE_SETS, with_views
from vecaf.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

    ReadTensors = Callable[[Path, str], dict[str, torch.Tensor]]
    ReadClassifier = Callable[[Path], tuple[torch.Tensor, torch.Tensor]]


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

    def at_views(self, views: str) -> PVM:
        """Return this model for other views of each image; see `views.with_views`."""
        network_dim = self.feature_dim // FEATURE_SETS[self.preprocessing.views]
        return replace(
            self,
            preprocessing=replace(self.preprocessing, views=views),
            feature_dim=FEATURE_SETS[views] * network_dim,
        )

    def build(self, num_classes: int | None = 0) -> nn.Module:
        """Return a new, trainable timm module on the CPU, in evaluation mode.

        Its input is float32 (n, 3, image_size, image_size), normalized by mean and std.

        Parameters
        ----------
        num_classes
            0 for pre-logits features (n, feature_dim), combined over the views; None for the
            classifier of the weights; k for a new classifier of k classes with zero weights. Both
            classify a single view.

        Raises
        ------
        InputError
            If the weights don't fit the architecture, or the model can't take images of this size.
        """
        from torch import nn

        model = self._with_weights()
        size = self.preprocessing.image_size
        if size != self.native_size and not takes_size(
            self.architecture, size, fixed=bool(self.patch_size)
        ):
            raise InputError(
                f"{self.name} can't take images of {size} pixels. Choose an image size of "
                f"{self.native_size}, with which it was trained."
            )
        if num_classes is not None:
            model.reset_classifier(num_classes)  # type: ignore[operator]
        if num_classes:
            head: Any = model.get_classifier()  # type: ignore[operator]
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        if num_classes == 0:
            model = with_views(model, self.preprocessing.views, size)
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
                f"{self.weights} doesn't contain weights of {self.architecture}: {detail}. Choose "
                "the safetensors file of this architecture."
            ) from error
        return model

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


@cache
def takes_size(architecture: str, size: int, *, fixed: bool) -> bool:
    """Return whether a timm network can take images of `size` pixels.

    A network without weights is tried. `fixed`: it is built for one size.
    """
    import timm
    import torch

    options: dict[str, Any] = {"img_size": size} if fixed else {}
    try:
        with torch.no_grad():
            timm.create_model(architecture, **options).eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError):
        return False
    return True
