"""Export of a finetuned model to ONNX, checked against PyTorch."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from vecaf.errors import UnavailableError, VecafError, first_line
from vecaf.export.model_files import ONNX, onnx_missing
from vecaf.export.predictor import Predictor
from vecaf.files import replacing

if TYPE_CHECKING:
    import onnx

OPSET = 18  # the exporter's native opset; every runtime since 2023 supports it
CHECKED_BATCHES = (4, 1)  # batch sizes of the check; they differ from TRACED
TRACED = 31  # batch size of the trace: a prime, so no other dimension has this size
MAX_BYTES = 2**31 - 2**22  # protobuf's limit of 2 GiB minus room for the graph
TOLERANCE = 1e-3
"""The largest difference between logits that can be a rounding error. Rounding causes about 1e-5
here, an incorrectly converted layer 0.1 or more."""

logger = logging.getLogger(__name__)


def export_onnx(folder: Path) -> float:
    """Write `model.onnx` into the folder of an exported model.

    The input `image` is a float32 array of shape (n, 3, s, s) for any n, normalized as described in
    `config.json`. The output `logits` is a float32 array of shape (n, classes). The metadata of the
    file holds the class names and the preprocessing.

    The model is first traced with a fixed batch size, which is then made variable. This takes half
    the time of a trace with a symbolic batch size. Convolutional models pass the check this way.
    Transformers that flatten images and tokens into one dimension do not; they are traced again
    with a symbolic size.

    Returns
    -------
    float
        The largest difference between a logit of ONNX Runtime and of PyTorch.

    Raises
    ------
    UnavailableError
        If packages are missing or the exporter does not support the model.
    VecafError
        If ONNX Runtime does not reproduce PyTorch's logits.
    """
    sentence = onnx_missing()
    if sentence:
        raise UnavailableError(sentence)
    predictor = Predictor.load(folder, "cpu")
    with replacing(folder / ONNX) as temporary:
        _write(_make_batch_variable(_convert(predictor)), predictor, temporary)
        try:
            return check_onnx(predictor, temporary)
        except VecafError as error:
            logger.info("Exporting the model again with a symbolic batch size: %s", error)
        _write(_convert(predictor, symbolic=True), predictor, temporary)
        return check_onnx(predictor, temporary)


def check_onnx(predictor: Predictor, path: Path) -> float:
    """Compare the logits of ONNX Runtime and PyTorch on random images.

    Returns
    -------
    float
        The largest difference between two logits.

    Raises
    ------
    VecafError
        If the difference exceeds TOLERANCE (relative to the largest logit if that is above 1), or
        ONNX Runtime can't run the file.
    """
    import onnxruntime

    side = predictor.preprocessing.image_size
    draws = np.random.default_rng(0)
    largest = 0.0
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions as well
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        for size in CHECKED_BATCHES:
            batch = draws.normal(size=(size, 3, side, side)).astype(np.float32)
            with torch.inference_mode():
                expected: NDArray[np.float32] = predictor.model(torch.from_numpy(batch)).numpy()
            (found,) = session.run(["logits"], {"image": batch})
            difference = _difference(found, expected)
            largest = max(largest, difference)
    except _runtime_errors() as error:
        reason = first_line(error).replace(str(path), path.name)
        raise VecafError(
            f"ONNX Runtime can't run the ONNX model ({reason}). Use the safetensors file."
        ) from error
    return largest


def _difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    same = found.shape == expected.shape
    difference = float(np.abs(found - expected).max()) if same else float("nan")
    # Written with `not` because every comparison with NaN is false.
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise VecafError(
            f"The ONNX model does not reproduce the model: logits differ by {difference:.3g}. "
            "It was discarded. Use the safetensors file, and please report the model's name."
        )
    return difference


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of ONNX Runtime for a graph that it can't load or run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return state.Fail, state.InvalidArgument, state.InvalidGraph, state.RuntimeException


def _convert(predictor: Predictor, *, symbolic: bool = False) -> onnx.ModelProto:
    """Convert the model to a graph, for a batch of TRACED images or a symbolic batch size."""
    size = sum(tensor.nbytes for tensor in predictor.model.state_dict().values())
    if size > MAX_BYTES:
        raise UnavailableError(
            f"The model is {size / 1e9:.1f} GB, but an ONNX file holds at most 2 GB. Use the "
            "safetensors file."
        )
    side = predictor.preprocessing.image_size
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")
        try:
            program: Any = torch.onnx.export(
                predictor.model,
                (torch.zeros(2 if symbolic else TRACED, 3, side, side),),
                input_names=["image"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},) if symbolic else None,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UnavailableError(
                "This model can't be written as ONNX, because PyTorch's exporter does not support "
                "one of its layers. Use the safetensors file."
            ) from error
    model: onnx.ModelProto = program.model_proto
    return model


def _make_batch_variable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Change a graph that was traced with TRACED images to accept any batch size.

    In shapes that start with TRACED, the first size becomes 1 for Expand (keep the size of the
    input) and −1 for Reshape (infer the size). The recorded shapes of inner values are removed.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    free = {"Reshape": -1, "Expand": 1}
    for number, node in enumerate(graph.node):
        shape = constants.get(node.input[1]) if node.op_type in free else None
        if shape is None:
            continue
        sizes = numpy_helper.to_array(shape).copy()
        if sizes.size and sizes[0] == TRACED:
            sizes[0] = free[node.op_type]
            node.input[1] = f"{shape.name}_of_any_batch_{number}"
            graph.initializer.append(numpy_helper.from_array(sizes, node.input[1]))
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    return model


def _write(model: onnx.ModelProto, predictor: Predictor, path: Path) -> None:
    import onnx

    for node in model.graph.node:  # remove the source paths of this machine
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
    """Silence the exporter's warnings about packages that are not needed here."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        yield
    finally:
        exporter.setLevel(level)
