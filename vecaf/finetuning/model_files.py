"""The names of an exported model's files; apart from torch, for who only moves them."""

from pathlib import Path

WEIGHTS, CONFIG, LABELS, ONNX = "model.safetensors", "config.json", "labels.json", "model.onnx"
STANDALONE = Path(__file__).with_name("standalone.py")  # goes into every export as predict.py
