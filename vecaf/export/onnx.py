"""A finetuned model as ONNX, for programs without torch; checked against torch as it is written."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
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

OPSET = 18  # what the exporter writes natively; every runtime since 2023 reads it
BATCHES = (4, 1)  # images of the checks: not the number that the graph was traced with
TRACED = 31  # images of the trace: a prime that is no other dimension of a model
MAX_BYTES = 2**31 - 2**22  # protobuf's limit, less what the graph itself takes
TOLERANCE = 1e-3
"""The largest difference of a logit that is taken for rounding. Float32 sums in another order
differ by about 1e-5 here; a layer that was translated wrongly, by 0.1 and more."""

logger = logging.getLogger(__name__)


def export_onnx(folder: Path) -> float:
    """Write `model.onnx` beside the exported model in `folder`; the largest difference of a logit.

    A trace of a fixed batch whose size is freed afterward takes half the time of one with a
    symbolic size. It is kept where it passes the check, which asks for other sizes; convolutional
    models do, transformers that flatten images and tokens into one dimension do not.

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
        _write(_free_batch(_translated(predictor)), predictor, temporary)
        try:
            return check_onnx(predictor, temporary)
        except VecafError as error:
            logger.info("Translating the model again, with a symbolic batch size. %s", error)
        _write(_translated(predictor, symbolic=True), predictor, temporary)
        return check_onnx(predictor, temporary)


def check_onnx(predictor: Predictor, path: Path) -> float:
    """The largest difference between ONNX Runtime's and torch's logits on fixed batches.

    Raises VecafError where it is more than TOLERANCE, as a share of the largest logit where that
    is above one, or where ONNX Runtime can't run the file.
    """
    import onnxruntime

    side = predictor.preprocessing.image_size
    draws = np.random.default_rng(0)
    largest = 0.0
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised, too
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        for size in BATCHES:
            batch = draws.normal(size=(size, 3, side, side)).astype(np.float32)
            with torch.inference_mode():
                expected: NDArray[np.float32] = predictor.model(torch.from_numpy(batch)).numpy()
            (found,) = session.run(["logits"], {"image": batch})
            difference = _difference(found, expected)
            largest = max(largest, difference)
    except _runtime_errors() as error:
        reason = first_line(error).replace(str(path), path.name)
        raise VecafError(f"ONNX Runtime can't run the ONNX model ({reason}).") from error
    return largest


def _difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    same = found.shape == expected.shape
    difference = float(np.abs(found - expected).max()) if same else float("nan")
    # A comparison with NaN is false, so it is asked the other way round.
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise VecafError(
            f"The ONNX model does not reproduce the model: logits differ by {difference:.3g}. "
            "It was discarded; use the safetensors file, and please report the model's name."
        )
    return difference


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a graph that it can't load or run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return state.Fail, state.InvalidArgument, state.InvalidGraph, state.RuntimeException


def _translated(predictor: Predictor, *, symbolic: bool = False) -> onnx.ModelProto:
    """The model as a graph, for TRACED images or, `symbolic`, for any number of them."""
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
                "This model can't be written as ONNX: torch's exporter does not know one of its "
                "layers. Use the safetensors file."
            ) from error
    model: onnx.ModelProto = program.model_proto
    return model


def _free_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let a graph that was traced for TRACED images take any number of them.

    Shapes that start with TRACED get a 1 for Expand, which then keeps its input's size, and a -1
    for Reshape, which then works it out. The shapes between the nodes are left out.
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
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        yield
    finally:
        exporter.setLevel(level)


def labels_in(path: Path) -> Sequence[str]:
    """The class names in an ONNX file's metadata."""
    import onnx

    properties = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    names: list[str] = json.loads(properties["labels"])
    return names
