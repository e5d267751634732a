"""The form's fields, made from RunConfig: a new setting there appears here by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

import gradio as gr

from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.selection.strategies import describe

LABELS = {
    "dataset": "Dataset",
    "model": "Vision model (PVM)",
    "vlm": "Caption model (VLM)",
    "strategy": "Strategy",
    "strategy_options": "Strategy's own options",
    "track": "What is scarce",
    "budget": "Budget a round",
    "lr": "Learning rate",
    "head_lr": "Head learning rate",
    "ema": "Weight averaging (EMA)",
    "mode": "What to train",
    "text_pull": "Text pull (CEA)",
    "head_init": "Where the classifier starts",
    "lora_rank": "LoRA rank",
    "picks": "Earlier picks",
    "subset": "Saved selection",
}
SELECTION = ("dataset", "strategy", "track", "budget", "rounds", "subset")
SUGGESTIONS = {
    "model": ["efficientnet_lite0", "vit_small_patch16_224.dino", "resnet50"],
    "vlm": ["embedded", "ViT-B-32/laion2b_s34b_b79k"],
    "device": ["auto", "cpu", "cuda"],
}
FIELDS = fields(RunConfig)


def label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " ").capitalize())


def in_selection() -> list[Field[Any]]:
    """What decides which images are picked, in reading order."""
    by_name = {item.name: item for item in FIELDS}
    return [by_name[name] for name in SELECTION]


def in_training() -> list[Field[Any]]:
    return [f for f in FIELDS if f.name not in SELECTION and not f.metadata["advanced"]]


def advanced() -> list[Field[Any]]:
    return [f for f in FIELDS if f.name not in SELECTION and f.metadata["advanced"]]


def component(item: Field[Any]) -> gr.components.FormComponent:
    """The input for one setting, with its help, choices and bounds."""
    meta, name = item.metadata, item.name
    default: Any = item.default
    common: dict[str, Any] = {"label": label(name), "info": meta["help"], "elem_id": f"f-{name}"}
    if name == "dataset":
        return gr.Dropdown([], value=None, **common)
    if name == "subset":
        return gr.Dropdown(subset_choices([]), value="", **common)
    if name == "strategy":
        infos = sorted(describe(), key=lambda info: info.name != default)  # the default first
        choices = [(f"{info.name} – {info.description}", info.name) for info in infos]
        return gr.Radio(choices, value=default, **common)
    if meta["choices"]:
        return gr.Radio(list(meta["choices"]), value=default, **common)
    if name in SUGGESTIONS:
        return gr.Dropdown(SUGGESTIONS[name], value=default, allow_custom_value=True, **common)
    if isinstance(default, int):
        # Bounds are checked with the rest, in words; Gradio would clip them without a word.
        return gr.Number(default, precision=0, **common)
    if isinstance(default, float):
        return gr.Number(default, step=_step(default), **common)
    return gr.Textbox(default, max_lines=1, **common)


def subset_choices(names: Sequence[str]) -> list[tuple[str, str]]:
    """The saved selections of a dataset, and the choice of none, as a drop-down's choices."""
    return [("None: the strategy selects", ""), *((name, name) for name in names)]


def _step(default: float) -> float:
    """A step of the arrow keys that suits the size of the default."""
    return 10.0 ** (len(str(int(1 / default))) * -1) if 0 < default < 1 else 0.1


def read(values: Sequence[Any]) -> RunConfig:
    """The configuration that the fields' values spell. Raises InputError for the first misfit."""
    given = dict(zip((item.name for item in FIELDS), values, strict=True))
    if not given["dataset"]:
        raise InputError("Choose a dataset.")
    for item in FIELDS:
        name, value = item.name, given[item.name]
        if value is None or (value == "" and item.default != ""):
            raise InputError(f"{label(name)} is empty.")
    return RunConfig.from_dict(given)


def restored(stored: object, names: Sequence[str], wanted: str | None) -> list[Any]:
    """Values for the fields: the address's dataset first, then what was kept, then the defaults.

    What was kept comes from the browser and may be of an older version, so only what still fits
    its setting counts.
    """
    kept = stored if isinstance(stored, dict) else {}
    values = []
    for item in FIELDS:
        value = kept.get(item.name, item.default)
        if type(value) is int and isinstance(item.default, float):
            value = float(value)
        if type(value) is not type(item.default):
            value = item.default
        if item.metadata["choices"] and value not in item.metadata["choices"]:
            value = item.default
        values.append(value)
    dataset = next((name for name in (wanted, values[0]) if name in names), None)
    values[0] = dataset or (names[0] if names else None)
    return values
