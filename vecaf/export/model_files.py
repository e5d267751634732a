"""File names of an exported model, and the packages that ONNX needs. This module needs no torch."""

from importlib.util import find_spec
from pathlib import Path

WEIGHTS, CONFIG, LABELS, ONNX = "model.safetensors", "config.json", "labels.json", "model.onnx"
STANDALONE = Path(__file__).with_name("standalone.py")  # copied into every export as predict.py
PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # needed to write and check model.onnx


def onnx_missing() -> str | None:
    """Explain which packages are missing to write an ONNX file.

    Returns
    -------
    str or None
        A sentence with the installation command. None if all packages are installed.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not missing:
        return None
    return f"ONNX needs more packages. Run: pip install {' '.join(missing)}"
