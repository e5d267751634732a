"""Settings that belong together, by what a person wants of a run, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig


@dataclass(frozen=True)
class Preset:
    """`values` replace the settings of these names; the dataset, seed and device stay."""

    name: str
    title: str
    reason: str
    values: Mapping[str, Any]


_KEPT = ("dataset", "subset", "seed", "device", "target_words")
_USUAL = {name: value for name, value in RunConfig().as_dict().items() if name not in _KEPT}

PRESETS: tuple[Preset, ...] = (
    Preset(
        "quick-look",
        "Quick look",
        "Three rounds of 5% with the model's features fixed: only a classifier is trained, so it "
        "takes seconds once the images are embedded, and the curve already bends where it will.",
        {**_USUAL, "track": LABEL_FREE, "budget": "5%", "rounds": 3, "mode": "head-only"},
    ),
    Preset(
        "paper",
        "Paper setting",
        "VeCAF's own: labels known and batches scarce, a DINO ViT-S/16 at 224 pixels finetuned "
        "whole, captions by OpenCLIP, AdamW. Both models come from a hub; meant for a GPU.",
        {
            **_USUAL,
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
        },
    ),
    Preset(
        "best-accuracy",
        "Best accuracy",
        "More labels (10% a round) and the whole model finetuned for longer, with earlier layers "
        "moving less and weights averaged: best where each class has a dozen labels or more.",
        {
            **_USUAL,
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
    return next((item for item in PRESETS if item.name == name), None)
