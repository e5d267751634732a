"""Features and logits of image files under a finetuned model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from vecaf.arrays import Floats
from vecaf.encoders import backends
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.runtime import (
    FEW_PIXELS,
    FEW_REPEATED_PIXELS,
    backend_for,
    compile_encoder,
    encode_files,
)
from vecaf.encoders.weight_inputs import RepeatedConversion
from vecaf.training.model import Classifier, FeaturesAndLogits


def predict(
    classifier: Classifier,
    paths: list[Path],
    preprocessing: Preprocessing,
    should_stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    convert: RepeatedConversion | None = None,
) -> tuple[Floats, Floats]:
    """Compute features and logits of image files with the fast runtime.

    Parameters
    ----------
    classifier
        The model, on the device to use.
    paths
        Image files.
    preprocessing
        Of the model's backbone.
    should_stop
        Returns whether to cancel; called between batches.
    progress
        Called with the number of finished images and of all images.
    convert
        Shared by all predictions of a model that trains in between.

    Returns
    -------
    features : array of shape (n, d)
        Centered unit rows.
    logits : array of shape (n, classes)

    Raises
    ------
    CanceledError
        If `should_stop` returns True.
    UnreadableImageError
        If an image can't be decoded.
    """
    dimension = classifier.head.width
    width = dimension + classifier.head.linear.out_features
    out = np.empty((len(paths), width), dtype=np.float32)
    if paths:
        device = str(next(classifier.parameters()).device)
        few = FEW_PIXELS if convert is None else FEW_REPEATED_PIXELS
        runtime = compile_encoder(
            FeaturesAndLogits(classifier).eval(),
            preprocessing,
            device=device,
            backend=backend_for(len(paths), preprocessing, device, few_pixels=few),
            convert=convert or backends.convert,
        )
        batches = encode_files(
            runtime, paths, preprocessing, progress=progress, should_stop=should_stop
        )
        for start, rows in batches:
            out[start : start + len(rows)] = rows
    return out[:, :dimension], out[:, dimension:]
