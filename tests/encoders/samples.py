"""Images that Pillow draws, and small encoders with random weights in real files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vecaf.settings import Settings

Stored = tuple[list[str], Callable[[str], Path]]


def settings_in(home: Path) -> Settings:
    return Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})


def draw(seed: int, width: int = 120, height: int = 90) -> Image.Image:
    """A color gradient with shapes on it."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = int(rng.integers(width)), int(rng.integers(height))
        shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        color = (int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256)))
        shape((left, top, left + int(rng.integers(5, 60)), top + 30), fill=color)
    return image


def store_images(folder: Path, count: int, first: int = 0) -> Stored:
    """`count` JPEGs of various sizes, named by their SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = []
    for seed in range(first, first + count):
        path = folder / "new.jpg"
        draw(seed, 100 + seed % 40, 80 + seed % 30).save(path, quality=90)
        keys.append(hashlib.sha256(path.read_bytes()).hexdigest())
        path.rename(folder / f"{keys[-1]}.jpg")
    return keys, lambda key: folder / f"{key}.jpg"


def weights_of_timm(folder: Path, architecture: str, num_classes: int = 1000) -> Path:
    """A safetensors file of a randomly initialized timm model."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = folder / f"{architecture}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(timm.create_model(architecture, num_classes=num_classes).state_dict(), path)
    return path


def weights_of_open_clip(folder: Path, seed: int = 0) -> tuple[str, Path]:
    """A small CLIP under a name that open_clip then knows, and its safetensors file."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 2,
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ViT-tiny-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "ViT-tiny-test.json")
    torch.manual_seed(seed)
    path = folder / "clip.safetensors"
    save_file(open_clip.create_model("ViT-tiny-test").state_dict(), path)
    return "ViT-tiny-test", path
