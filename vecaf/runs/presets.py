"""Presets: settings that work well together for a common goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig


@dataclass(frozen=True)
class Preset:
    """`values` replace the settings of the same names; dataset, seed and device stay."""

    name: str
    title: str
    reason: str
    values: Mapping[str, Any]


_UNCHANGED = ("dataset", "subset", "seed", "device", "target_words", "adapt_to", "trackers")
_DEFAULTS = {name: value for name, value in RunConfig().as_dict().items() if name not in _UNCHANGED}

PRESETS: tuple[Preset, ...] = (
    Preset(
        "quick-look",
        "Quick look",
        "Trains only a classifier on fixed features, in three rounds of 5%. Takes seconds once the "
        "images are embedded. Use it to compare strategies.",
        {**_DEFAULTS, "track": LABEL_FREE, "budget": "5%", "rounds": 3, "mode": "head-only"},
    ),
    Preset(
        "paper",
        "Paper setting",
        "Reproduces the VeCAF paper: full finetuning of a DINO ViT-S/16 at 224 pixels, in the "
        "labels-known track. OpenCLIP embeds the captions. Downloads both models and "
        "needs a GPU.",
        {
            **_DEFAULTS,
            "model": "vit_small_patch16_224.dino",
            "vlm": "ViT-B-32/laion2b_s34b_b79k",
            "strategy": "vecaf",
            "track": LABELS_KNOWN,
            "budget": "1%",
            "rounds": 5,
            "mode": "full",
            "epochs": 50,
            "batch_size": 128,
            "lr": 0.0001,
            "weight_decay": 0.05,
            "image_size": 224,
            "head_init": "zeros",
            "train_on_captions": "yes",
        },
    ),
    Preset(
        "best-accuracy",
        "Best accuracy",
        "Full finetuning for 40 epochs, in three rounds of 10%. Use it if each class has at least "
        "a dozen labels. Slow without a GPU.",
        {
            **_DEFAULTS,
            "track": LABEL_FREE,
            "budget": "10%",
            "rounds": 3,
            "mode": "full",
            "epochs": 40,
            "lr": 0.0003,
        },
    ),
)


def preset(name: str) -> Preset | None:
    """Return the preset called `name`, None if there is none."""
    return next((item for item in PRESETS if item.name == name), None)
