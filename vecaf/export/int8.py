"""A finetuned model in 8-bit integers for OpenVINO, quantized by NNCF."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vecaf.encoders.openvino_import import load_openvino
from vecaf.errors import UnavailableError
from vecaf.export.inputs import inputs_of
from vecaf.export.model_files import ONNX
from vecaf.export.predictor import Predictor
from vecaf.wording import installation

INT8 = "model-int8.xml"  # beside it lies model-int8.bin
CALIBRATION = 300
"""Pool images that calibrate the ranges of the values; NNCF's default."""
PACKAGES = ("openvino", "nncf")


def check_packages() -> None:
    """Raise UnavailableError if OpenVINO or NNCF is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UnavailableError(f"int8 needs {' and '.join(missing)}. {installation('int8')}")


def export_int8(folder: Path, images: Sequence[Path]) -> None:
    """Write `model-int8.xml` and `model-int8.bin` into the folder of an exported model.

    Weights and activations become 8-bit integers. The input and the output are those of
    `model.onnx`.

    Parameters
    ----------
    folder
        A folder with `model.onnx`.
    images
        Image files of the pool, on which the ranges of the values are measured.

    Raises
    ------
    UnavailableError
        A package is missing.
    """
    check_packages()
    ov = load_openvino()
    import nncf

    predictor = Predictor.load(folder, "cpu")
    model = ov.convert_model(folder / ONNX)
    transformer = any("attn" in name for name, _ in predictor.model.named_modules())
    nncf.set_log_level(logging.ERROR)
    calibration = nncf.Dataset(
        list(images), lambda path: {"image": inputs_of([path], predictor.preprocessing)}
    )
    quantized = nncf.quantize(
        model,
        calibration,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
    )
    ov.save_model(quantized, folder / INT8, compress_to_fp16=False)
