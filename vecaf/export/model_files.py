"""An exported model's files, and what they need; apart from torch, for who only moves them."""

from importlib.util import find_spec
from pathlib import Path

WEIGHTS, CONFIG, LABELS, ONNX = "model.safetensors", "config.json", "labels.json", "model.onnx"
STANDALONE = Path(__file__).with_name("standalone.py")  # goes into every export as predict.py
PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # that write model.onnx


def onnx_missing() -> str | None:
    """Why no ONNX file can be written, as a sentence; None where one can."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not missing:
        return None
    return f"ONNX needs {' and '.join(missing)}. Install it: pip install {' '.join(missing)}"
