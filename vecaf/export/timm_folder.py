"""A finetuned model as a folder that `timm.create_model("local-dir:…")` loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vecaf.arrays import Floats
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.errors import UnavailableError
from vecaf.export.inputs import inputs_of
from vecaf.export.model_files import CONFIG
from vecaf.export.predictor import Predictor
from vecaf.training.model import Head

FOLDER = "timm"
BATCH = 32
RIDGE = 1e-3
"""Penalty of the change of the analytic classifier, relative to the variance of the features."""


def export_timm(folder: Path, images: Sequence[Path]) -> float:
    """Write `timm/` into the folder of an exported model.

    The backbone is the same. timm's classifiers are linear, but the studio's classifier first
    scales features to unit length. The linear classifier that is written reproduces its logits as
    well as possible on `images`.

    Parameters
    ----------
    folder
        A folder written by `export_model`.
    images
        Image files of the pool.

    Returns
    -------
    float
        The share of `images` for which both classifiers predict the same class.

    Raises
    ------
    UnavailableError
        The architecture has no linear classifier.
    """
    import timm
    from timm.models import save_for_hf

    predictor = Predictor.load(folder, "cpu")
    features, logits = _features_and_logits(predictor, images)
    weight, bias = linear_classifier(predictor.model.head, features, logits)
    architecture, size = _architecture(folder, predictor.preprocessing)
    model: Any = timm.create_model(architecture, num_classes=len(predictor.classes), **size)
    classifier = model.get_classifier()
    if not isinstance(classifier, nn.Linear) or classifier.in_features != features.shape[1]:
        raise UnavailableError(
            f"The architecture {architecture} has no linear classifier in timm, so the model can't "
            "be written for timm. Use the ONNX file."
        )
    model.load_state_dict(predictor.model.backbone.state_dict(), strict=False)
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(weight))
        classifier.bias.copy_(torch.from_numpy(bias))
    save_for_hf(
        model.eval(),
        str(folder / FOLDER),
        model_config={
            "label_names": list(predictor.classes),
            "pretrained_cfg": _data_config(predictor.preprocessing),
        },
        model_args=size,
        safe_serialization=True,
    )
    found = features @ weight.T + bias
    return float((found.argmax(axis=1) == logits.argmax(axis=1)).mean())


def linear_classifier(head: Head, features: Floats, logits: Floats) -> tuple[Floats, Floats]:
    """Fit the linear classifier whose logits are closest to those of `head`.

    The logits are c·W·(a·f − m) + b, where a and c scale to unit length. With their means over the
    images, they are linear. Ridge regression on the rest, toward zero, corrects the classifier.

    Parameters
    ----------
    head
        The classifier to reproduce.
    features
        Raw features, shape (n, d).
    logits
        Logits of `head`, shape (n, classes).

    Returns
    -------
    weight : array of shape (classes, d)
    bias : array of shape (classes,)
    """
    x, wanted = features.astype(np.float64), logits.astype(np.float64)
    mean = head.mean.double().numpy()
    weight = head.linear.weight.detach().double().numpy()
    bias = head.linear.bias.detach().double().numpy()
    scale = 1 / np.linalg.norm(x, axis=1, keepdims=True)
    rescale = 1 / np.linalg.norm(scale * x - mean, axis=1).mean()
    weight, bias = (
        rescale * scale.mean() * weight,
        bias - rescale * weight @ mean,
    )
    rest = wanted - (x @ weight.T + bias)
    center, offset = x.mean(axis=0), rest.mean(axis=0)
    rows = x - center
    gram = rows @ rows.T  # fewer images than features, or about as many
    penalty = RIDGE * np.trace(gram) / len(rows) * np.eye(len(rows))
    change = np.linalg.solve(gram + penalty, rest - offset).T @ rows
    return (
        (weight + change).astype(np.float32),
        (bias + offset - change @ center).astype(np.float32),
    )


def _features_and_logits(predictor: Predictor, images: Sequence[Path]) -> tuple[Floats, Floats]:
    parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(inputs_of(images[start : start + BATCH], predictor.preprocessing))
        with torch.inference_mode():
            features = predictor.model.backbone(batch)
            logits = predictor.model.head(predictor.model.head.center(features))
        parts.append((features.numpy(), logits.numpy()))
    return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])


def _architecture(folder: Path, preprocessing: Preprocessing) -> tuple[str, dict[str, Any]]:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    fixed = {"img_size": preprocessing.image_size} if config["image_size_fixed"] else {}
    return config["architecture"], fixed


def _data_config(preprocessing: Preprocessing) -> dict[str, Any]:
    side = preprocessing.image_size
    return {
        "input_size": (3, side, side),
        "mean": preprocessing.mean,
        "std": preprocessing.std,
        "interpolation": preprocessing.interpolation,
        "crop_pct": preprocessing.crop,
        "crop_mode": "squash" if preprocessing.squash else "center",
    }
