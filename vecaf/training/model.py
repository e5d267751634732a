"""The model that is finetuned: a PVM's features, centred on the pool, under a linear classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vecaf.encoders.pvm import PVM


class Head(nn.Module):
    """A linear classifier on unit features from which the pool's mean direction is taken out.

    Pooled activations share a large common part. Without it a logistic head reaches the same
    accuracy in about a fifth of the steps (measured on CIFAR-10 and PACS features).
    """

    mean: Tensor

    def __init__(self, mean: Tensor, n_classes: int) -> None:
        """`mean` (d,): the pool's mean unit feature. Weights start at zero: no class favoured."""
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.linear = nn.Linear(len(mean), n_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, centred: Tensor) -> Tensor:
        """Centred unit features (n, d) → logits (n, classes)."""
        logits: Tensor = self.linear(centred)
        return logits

    @torch.no_grad()
    def descend(self, centred: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross-entropy of centred rows (n, d) and class indices (n,), a scalar; its gradients
        are left in the parameters' `.grad`.

        The closed form, softmax less target, to rounding what autograd gives: a step of 64 rows
        takes half as long, for autograd's bookkeeping costs as much as the products there. Scores
        are classes × rows: of few classes, each operation then runs along the rows.
        """
        weight, bias = self.linear.weight, self.linear.bias
        n, classes = len(centred), len(bias)
        logs = torch.addmm(bias[:, None], weight, centred.T).log_softmax(dim=0)
        wanted = torch.full_like(logs, label_smoothing / classes)
        wanted.scatter_(0, targets[None], 1 - label_smoothing + label_smoothing / classes)
        loss = -torch.dot(logs.view(-1), wanted.view(-1)) / n
        slope = logs.exp_().sub_(wanted).div_(n)
        weight.grad, bias.grad = slope @ centred, slope.sum(dim=1)
        return loss

    def centre(self, features: Tensor) -> Tensor:
        """Raw features (n, d) → unit rows after the pool's mean was taken out."""
        return centred_rows(features, self.mean)


@dataclass(frozen=True)
class Centred:
    """Features of all samples as a head sees them, ready to be shared by several learners.

    `mean` (d,): the pool's mean unit feature. `rows` (n, d), unit, on the training device.
    """

    mean: Tensor
    rows: Tensor

    @classmethod
    def of(cls, features: NDArray[np.float32], pool: NDArray[np.int64], device: str) -> Centred:
        """Centre raw `features` (n, d) on those of the rows `pool`."""
        mean = F.normalize(torch.from_numpy(features[pool]), dim=1).mean(dim=0).to(device)
        return cls(mean, centred_rows(torch.from_numpy(features).to(device), mean))


class Classifier(nn.Module):
    """Images (n, 3, s, s), normalised as the PVM wants them → logits (n, classes)."""

    def __init__(self, backbone: nn.Module, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        return self.head.centre(self.backbone(images))


class FeaturesAndLogits(nn.Module):
    """A classifier's features and logits side by side (n, d + classes), from one pass."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        features = self.classifier.features(images)
        return torch.cat([features, self.classifier.head(features)], dim=1)


def build_classifier(pvm: PVM, head: Head) -> Classifier:
    """The PVM with its pretrained weights under `head`."""
    return Classifier(pvm.build(0), head)


def centred_rows(features: Tensor, mean: Tensor) -> Tensor:
    """Unit rows (n, d) of raw `features` after `mean` (d,) was taken out of their directions."""
    return F.normalize(F.normalize(features, dim=1) - mean, dim=1)
