"""A finetuned model as ONNX, for programs without torch; checked against torch as it is written."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vecaf.errors import UnavailableError, VecafError
from vecaf.files import replacing
from vecaf.finetuning.export import Predictor
from vecaf.finetuning.model_files import ONNX, onnx_missing

OPSET = 18  # what the exporter writes natively; every runtime since 2023 reads it
BATCH = 4  # images of the check: more than one, and not the number the graph was traced with
MAX_BYTES = 2**31 - 2**22  # protobuf's limit, less what the graph itself takes
TOLERANCE = 1e-3
"""The largest difference of a logit that is taken for rounding. Float32 sums in another order
differ by about 1e-5 here; a layer that was translated wrongly, by 0.1 and more."""


def export_onnx(folder: Path) -> float:
    """Write `model.onnx` beside the exported model in `folder`; the largest difference of a logit.

    Input `image`: float32 (n, 3, s, s), n free, normalised as config.json says. Output `logits`:
    float32 (n, classes). Class names and preprocessing are in the file's metadata. Raises
    UnavailableError where packages are missing or the exporter can't translate the model,
    VecafError where ONNX Runtime does not reproduce torch's logits.
    """
    sentence = onnx_missing()
    if sentence:
        raise UnavailableError(sentence)
    predictor = Predictor.load(folder, "cpu")
    with replacing(folder / ONNX) as temporary:
        _translate(predictor, temporary)
        return check_onnx(predictor, temporary)


def check_onnx(predictor: Predictor, path: Path) -> float:
    """The largest difference between ONNX Runtime's and torch's logits on a fixed batch.

    Raises VecafError where it is more than TOLERANCE, as a share of the largest logit where that
    is above one.
    """
    import onnxruntime

    side = predictor.preprocessing.image_size
    batch = np.random.default_rng(0).normal(size=(BATCH, 3, side, side)).astype(np.float32)
    with torch.inference_mode():
        expected: NDArray[np.float32] = predictor.model(torch.from_numpy(batch)).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"image": batch})
    difference = float(np.abs(found - expected).max())
    # A comparison with NaN is false, so it is asked the other way round.
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise VecafError(
            f"The ONNX model does not reproduce the model: logits differ by {difference:.3g}. "
            "It was discarded; use the safetensors file, and please report the model's name."
        )
    return difference


def _translate(predictor: Predictor, path: Path) -> None:
    import onnx

    size = sum(tensor.nbytes for tensor in predictor.model.state_dict().values())
    if size > MAX_BYTES:
        raise UnavailableError(
            f"The model has {size / 1e9:.1f} GB; one ONNX file holds at most 2 GB. Use the "
            "safetensors file."
        )
    side = predictor.preprocessing.image_size
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")
        try:
            program: Any = torch.onnx.export(
                predictor.model,
                (torch.zeros(2, 3, side, side),),
                input_names=["image"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UnavailableError(
                "This model can't be written as ONNX: torch's exporter does not know one of its "
                "layers. Use the safetensors file."
            ) from error
    model = program.model_proto
    for node in model.graph.node:  # where in whose folders the code lay that made it
        del node.metadata_props[:]
        node.doc_string = ""
    metadata = {
        "labels": json.dumps(list(predictor.classes), ensure_ascii=False),
        "preprocessing": json.dumps(vars(predictor.preprocessing)),
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.save_model(model, str(path))


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hold back what the exporter logs about packages that it does not need here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def labels_in(path: Path) -> Sequence[str]:
    """The class names in an ONNX file's metadata."""
    import onnx

    properties = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    names: list[str] = json.loads(properties["labels"])
    return names
