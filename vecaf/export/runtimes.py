"""Accuracy and speed of an exported model in the runtimes that load it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Labels
from vecaf.encoders.openvino_import import load_openvino
from vecaf.export.inputs import inputs_of
from vecaf.export.int8 import INT8
from vecaf.export.model_files import ONNX
from vecaf.export.predictor import Predictor

BATCH = 8
TIMED = 5
Model = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Measured:
    """A runtime's accuracy and speed on the same images.

    Attributes
    ----------
    runtime
        Name of the runtime and its precision.
    accuracy
        Share of the images whose predicted class is correct.
    images_per_second
        Images that the model processes in a second, without decoding.
    """

    runtime: str
    accuracy: float
    images_per_second: float


def measure_runtimes(folder: Path, images: Sequence[Path], labels: Labels) -> list[Measured]:
    """Measure PyTorch, ONNX Runtime, and OpenVINO in float32 and int8 on this machine.

    The runtimes take turns, so that other work on the machine slows all of them alike. The speed is
    that of the fastest of five batches.

    Parameters
    ----------
    folder
        A folder with `model.onnx` and `model-int8.xml`.
    images
        Labeled image files, at least one.
    labels
        Their class indices, shape (n,).
    """
    predictor = Predictor.load(folder, "cpu")
    batches = [
        inputs_of(images[start : start + BATCH], predictor.preprocessing)
        for start in range(0, len(images), BATCH)
    ]
    models = dict(_models(folder, predictor))
    correct = dict.fromkeys(models, 0)
    best = dict.fromkeys(models, 0.0)
    for number, batch in enumerate(batches):
        wanted = labels[number * BATCH : number * BATCH + len(batch)]
        for name, model in models.items():
            correct[name] += int((model(batch).argmax(axis=1) == wanted).sum())
    for batch in batches[:TIMED]:
        for name, model in models.items():
            start_time = time.perf_counter()
            model(batch)
            best[name] = max(best[name], len(batch) / (time.perf_counter() - start_time))
    return [Measured(name, correct[name] / len(images), best[name]) for name in models]


def table(measured: Sequence[Measured], images: int) -> str:
    """Return the measurements as a Markdown table."""
    rows = [
        f"| {one.runtime} | {one.accuracy:.1%} | {one.images_per_second:,.0f} |" for one in measured
    ]
    head = f"| runtime | accuracy on {images:,} test images | images/s |"
    return "\n".join([head, "|---|---|---|", *rows])


def _models(folder: Path, predictor: Predictor) -> Iterator[tuple[str, Model]]:
    import onnxruntime
    import torch

    def eager(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = predictor.model(torch.from_numpy(batch)).numpy()
        return found

    session = onnxruntime.InferenceSession(str(folder / ONNX), providers=["CPUExecutionProvider"])
    yield "PyTorch", eager
    yield "ONNX Runtime", lambda batch: session.run(["logits"], {"image": batch})[0]
    yield "OpenVINO float32", _openvino(folder / ONNX)
    yield "OpenVINO int8", _openvino(folder / INT8)


def _openvino(path: Path) -> Model:
    ov = load_openvino()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled: Any = ov.Core().compile_model(path, "CPU", hints)
    return lambda batch: np.array(compiled({"image": batch})[0])
