"""A head for two domains: each image is centered and classified in the domain it belongs to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vecaf.augmentation.target_images import Adaptation
from vecaf.training.model import Head


class TargetHead(Head):
    """A linear classifier for the source domain, and another one for a target domain.

    A linear boundary decides the domain of each image from its features alone, so a single new
    image gets the right mean. Centered rows have one more column: 1 for the target domain, else 0.

    Parameters
    ----------
    mean
        Mean unit features of the source, shape (d,).
    n_classes
        Number of classes. All weights start at zero, so every image belongs to the source.
    """

    target_mean: Tensor
    boundary: Tensor
    offset: Tensor

    def __init__(self, mean: Tensor, n_classes: int) -> None:
        super().__init__(mean, n_classes)
        self.target_linear = nn.Linear(len(mean), n_classes)
        nn.init.zeros_(self.target_linear.weight)
        nn.init.zeros_(self.target_linear.bias)
        self.register_buffer("target_mean", torch.zeros_like(mean))
        self.register_buffer("boundary", torch.zeros_like(mean))
        self.register_buffer("offset", mean.new_zeros(1))

    @classmethod
    @torch.no_grad()
    def of(cls, head: Head, found: Adaptation) -> TargetHead:
        """Return the head of the source with its adaptation to the target."""
        adapted = cls(head.mean.cpu(), head.linear.out_features)
        adapted.linear.load_state_dict(head.linear.state_dict())
        for place, value in (
            (adapted.target_mean, found.mean),
            (adapted.boundary, found.boundary.direction),
            (adapted.target_linear.weight, found.model.weight),
            (adapted.target_linear.bias, found.model.bias),
        ):
            place.copy_(torch.from_numpy(value))
        adapted.offset.fill_(found.boundary.offset)
        return adapted

    @property
    def width(self) -> int:
        return len(self.mean) + 1

    def center(self, features: Tensor) -> Tensor:
        """Center raw features (n, d) on the mean of their domain: rows (n, d + 1)."""
        units = F.normalize(features, dim=1)
        score = (units * self.boundary).sum(dim=1, keepdim=True) + self.offset
        is_target = (score > 0).to(units.dtype)
        mean = is_target * self.target_mean + (1 - is_target) * self.mean
        return torch.cat([F.normalize(units - mean, dim=1), is_target], dim=1)

    def forward(self, centered: Tensor) -> Tensor:
        """Compute logits (n, classes) from centered rows (n, d + 1)."""
        rows, is_target = centered[:, :-1], centered[:, -1:]
        logits: Tensor = is_target * self.target_linear(rows) + (1 - is_target) * self.linear(rows)
        return logits
