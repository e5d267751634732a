"""Views of an image whose features are combined: the image, its mirror image, and a smaller copy.

A module combines them, so that training, prediction, and exports need no code of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

PLAIN, MIRROR, TWO_SIZES = "plain", "mirror", "two-sizes"
FEATURE_SETS = {PLAIN: 1, MIRROR: 1, TWO_SIZES: 2}
"""The number of feature vectors of the network that a feature vector consists of."""
SMALLER = 0.6  # side of the smaller copy as a share of the image size
STRIDE = 32  # the sides of smaller copies are multiples of it


def smaller_side(image_size: int) -> int:
    """Return the side of the smaller copy of an image in pixels."""
    return max(STRIDE, round(SMALLER * image_size / STRIDE) * STRIDE)


def with_views(network: nn.Module, views: str, image_size: int) -> nn.Module:
    """Return a module that computes the features of several views.

    - plain: the network itself.
    - mirror: the mean of the features of an image and of its mirror image.
    - two-sizes: the features of the image, and the mean of those of a smaller copy and its mirror
      image. Both are scaled to unit length and concatenated.

    Parameters
    ----------
    network
        Maps normalized images (n, 3, s, s) to features (n, d).
    views
        A key of FEATURE_SETS.
    image_size
        s, in pixels.
    """
    if views == PLAIN:
        return network
    import torch
    from torch import nn
    from torch.nn import functional as F

    side = smaller_side(image_size)

    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if views == MIRROR:
                return self.mirrored(images)
            smaller = F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
            parts = (self.network(images), self.mirrored(smaller))
            return torch.cat([F.normalize(part, dim=1) for part in parts], dim=1)

        def mirrored(self, images: torch.Tensor) -> torch.Tensor:
            mean: torch.Tensor = (self.network(images) + self.network(images.flip(3))) / 2
            return mean

    return Views().train(network.training)
