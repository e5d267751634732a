"""Predict with an exported model: `python predict.py IMAGE …`.

It needs model.onnx, config.json and labels.json in the same folder, and the packages of
`pip install onnxruntime numpy pillow`. It does not need VeCAF Studio.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent


def load(folder: Path = HERE) -> tuple[Any, dict[str, Any], list[str]]:
    """Load the model, its preprocessing settings and its class names."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    return session, config["preprocessing"], labels


def prepare(path: Path, settings: dict[str, Any]) -> Any:
    """Read an image file as a float32 array (1, 3, s, s): rotated, cropped, resized, normalized."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):  # 16-bit grayscale, which Pillow would clip to white
            gray = np.asarray(image).astype(np.float32) / 257
            image = Image.fromarray(gray.round().clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:  # use a white background
            layered = image.convert("RGBA")
            image = Image.new("RGB", layered.size, "white")
            image.paste(layered, mask=layered.getchannel("A"))
        image = image.convert("RGB")
    width, height = image.size
    keep_x, keep_y = width * settings["crop"], height * settings["crop"]
    if not settings["squash"]:
        keep_x = keep_y = min(keep_x, keep_y)
    left, top = (width - keep_x) / 2, (height - keep_y) / 2
    side = settings["image_size"]
    resampling = Image.Resampling[settings["interpolation"].upper()]
    box = (left, top, left + keep_x, top + keep_y)
    pixels = np.asarray(image.resize((side, side), resampling, box=box), np.float32) / 255
    normal = (pixels - np.array(settings["mean"], np.float32)) / np.array(
        settings["std"], np.float32
    )
    return normal.transpose(2, 0, 1)[None]


def predict(path: Path, folder: Path = HERE, top: int = 5) -> dict[str, float]:
    """Return the `top` most probable classes of an image file with their probabilities."""
    session, settings, labels = load(folder)
    (logits,) = session.run(["logits"], {"image": prepare(path, settings)})
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:top]
    return {labels[index]: float(shares[index]) for index in order}


def as_text(found: dict[str, Any]) -> str:
    """Format as JSON, escaping characters that the console can't print."""
    text = json.dumps(found, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(found)
    return text


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        print(as_text({"image": name, "classes": predict(Path(name))}))
