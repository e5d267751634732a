"""Predict with an exported model: `python predict.py IMAGE …`.

This file and model.onnx, config.json and labels.json beside it are all that is needed, with
`pip install onnxruntime numpy pillow`. It is part of the export and stands alone.
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
    """The model, how it wants its images, and its class names."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    return session, config["preprocessing"], labels


def prepare(path: Path, how: dict[str, Any]) -> Any:
    """An image file as (1, 3, s, s), float32: upright, cropped, resized, normalised."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion clips to white
            grey = np.asarray(image).astype(np.float32) / 257
            image = Image.fromarray(grey.round().clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:  # laid on white
            layered = image.convert("RGBA")
            image = Image.new("RGB", layered.size, "white")
            image.paste(layered, mask=layered.getchannel("A"))
        image = image.convert("RGB")
    width, height = image.size
    keep_x, keep_y = width * how["crop"], height * how["crop"]
    if not how["squash"]:
        keep_x = keep_y = min(keep_x, keep_y)
    left, top = (width - keep_x) / 2, (height - keep_y) / 2
    side = how["image_size"]
    resampling = Image.Resampling[how["interpolation"].upper()]
    box = (left, top, left + keep_x, top + keep_y)
    pixels = np.asarray(image.resize((side, side), resampling, box=box), np.float32) / 255
    normal = (pixels - np.array(how["mean"], np.float32)) / np.array(how["std"], np.float32)
    return normal.transpose(2, 0, 1)[None]


def predict(path: Path, folder: Path = HERE, top: int = 5) -> dict[str, float]:
    """The `top` most probable classes of an image file with their probabilities, in order."""
    session, how, labels = load(folder)
    (logits,) = session.run(["logits"], {"image": prepare(path, how)})
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:top]
    return {labels[index]: float(shares[index]) for index in order}


def as_text(found: dict[str, Any]) -> str:
    """As JSON, with escapes where the console can't show a name."""
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
