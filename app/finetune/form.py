"""The fields of the form, made from RunConfig: a new setting appears in the form by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

import gradio as gr

from vecaf.config import RunConfig
from vecaf.config_checks import with_current_names
from vecaf.errors import InputError
from vecaf.selection.strategies import describe

LABELS = {
    "model": "Vision model (backbone)",
    "vlm": "Vision-language model (VLM)",
    "strategy_options": "Strategy options",
    "track": "Goal (track)",
    "budget": "Budget per round",
    "subset": "Saved selection",
    "mode": "Training mode",
    "epochs": "Epochs per round",
    "patience": "Early stopping (epochs)",
    "schedule": "Learning rate schedule",
    "head_init": "Classifier initialization",
    "lr": "Learning rate",
    "head_lr": "Classifier learning rate",
    "head_weight_decay": "Classifier weight decay",
    "lora_rank": "LoRA rank",
    "ema": "Weight averaging (EMA)",
    "caption_weight": "Caption weight (CEA)",
    "target_words": "Target domain",
    "adapt_to": "Target dataset",
}
"""Labels that differ from the setting's name."""
CHOICES = {
    "track": {
        "label-free": "Minimize labeling (label-free)",
        "labels-known": "Minimize training time (labels-known)",
    },
}
"""Names of a setting's choices that differ from their values."""
SELECTION = ("dataset", "strategy", "track", "budget", "rounds", "subset")
SIMPLE = ("dataset", "budget", "subset")  # the only settings of the simple view
SUGGESTIONS = {
    "model": [
        ("efficientnet_lite0: 4.7 million parameters, included", "efficientnet_lite0"),
        ("efficientnet_lite2: 6.1 million parameters, included", "efficientnet_lite2"),
        (
            "vit_small_patch16_224.dino: 22 million parameters, 87 MB download, slow without a GPU",
            "vit_small_patch16_224.dino",
        ),
        ("resnet50: 26 million parameters, 102 MB download, slow without a GPU", "resnet50"),
    ],
    "vlm": [
        ("embedded: 27 million parameters, included", "embedded"),
        (
            "ViT-B-32/laion2b_s34b_b79k: 151 million parameters, 605 MB download",
            "ViT-B-32/laion2b_s34b_b79k",
        ),
    ],
    "device": [(name, name) for name in ("auto", "cpu", "cuda")],
    "trackers": [("None", ""), *((name, name) for name in ("tensorboard", "mlflow", "trackio"))],
}
RECOMMENDED = "vecaf"
REASON = (
    "Recommended: vecaf. With 100 to 1,000 labels on CIFAR-10, it was 1.6 points more accurate "
    "than random selection."
)
FIELDS = fields(RunConfig)
PLACES = {item.name: place for place, item in enumerate(FIELDS)}
BASELINE = "_baseline"
"""The checkbox, beside the settings that the browser keeps."""
ROUNDS = "_rounds"
"""The rounds of a run without a saved selection: what opens with a selection sets rounds to 1."""


def label(name: str) -> str:
    """Return the label of a setting."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def in_selection() -> list[Field[Any]]:
    """Return the settings that decide which images are selected, in reading order."""
    by_name = {item.name: item for item in FIELDS}
    return [by_name[name] for name in SELECTION]


def in_training() -> list[Field[Any]]:
    """Return the other settings that most users change."""
    return [f for f in FIELDS if f.name not in SELECTION and not f.metadata["advanced"]]


def advanced() -> list[Field[Any]]:
    """Return the settings that few users change."""
    return [f for f in FIELDS if f.name not in SELECTION and f.metadata["advanced"]]


def component(item: Field[Any]) -> gr.components.FormComponent:
    """Return the input for one setting, with its help, default and choices."""
    meta, name = item.metadata, item.name
    default: Any = item.default
    info = meta["help"] + (f" Default: {default}." if default != "" else "")
    common: dict[str, Any] = {"label": label(name), "info": info, "elem_id": f"f-{name}"}
    if name == "dataset":
        return gr.Dropdown([], value=None, **common)
    if name == "subset":
        return gr.Dropdown(subset_choices([]), value="", **common)
    if name == "strategy":
        infos = sorted(describe(), key=lambda info: info.name != RECOMMENDED)  # it comes first
        choices = [(_described(info.name, info.description), info.name) for info in infos]
        common["info"] = f"{meta['help']} {REASON}"
        return gr.Dropdown(choices, value=default, filterable=True, **common)
    if meta["choices"]:
        names = CHOICES.get(name, {})
        choices = [(names.get(value, value), value) for value in meta["choices"]]
        return gr.Radio(choices, value=default, **common)
    if name in SUGGESTIONS:
        return gr.Dropdown(SUGGESTIONS[name], value=default, allow_custom_value=True, **common)
    if isinstance(default, int):
        # `read` checks the bounds with an error message; Gradio would clip the value silently.
        return gr.Number(default, precision=0, **common)
    if isinstance(default, float):
        return gr.Number(default, step=_step(default), **common)
    return gr.Textbox(default, max_lines=1, **common)


def _described(strategy: str, description: str) -> str:
    mark = " (recommended)" if strategy == RECOMMENDED else ""
    return f"{strategy}{mark}: {description}"


def subset_choices(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the choices of the drop-down: no saved selection, then those of the dataset."""
    return [("None (the strategy selects)", ""), *((name, name) for name in names)]


def _step(default: float) -> float:
    """Return a step for the arrow keys that suits the default's magnitude."""
    return 10.0 ** (len(str(int(1 / default))) * -1) if 0 < default < 1 else 0.1


def read(values: Sequence[Any]) -> RunConfig:
    """Return the settings in the form. Raises InputError for the first invalid value."""
    given = dict(zip((item.name for item in FIELDS), values, strict=True))
    if not given["dataset"]:
        raise InputError("Choose a dataset.")
    for item in FIELDS:
        name, value = item.name, given[item.name]
        if value is None or (value == "" and item.default != ""):
            raise InputError(f"{label(name)} is empty. Enter a value.")
    return RunConfig.from_dict(given, label)


def restored(stored: object, names: Sequence[str], wanted: str | None) -> list[Any]:
    """Return the form's values: the browser's stored ones where they still fit, else defaults.

    `wanted` is the dataset that the address names. Stored values may come from an older version.
    """
    kept = with_current_names(stored) if isinstance(stored, dict) else {}
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


def to_keep(values: Sequence[Any], stored: object) -> dict[str, Any]:
    """Return what the browser keeps of the form; `stored` is what it has."""
    kept = dict(zip([*PLACES, BASELINE], values, strict=True))
    kept[ROUNDS] = rounds_alone(stored) if kept["subset"] else kept["rounds"]
    return kept


def rounds_alone(stored: object) -> int:
    """Return the rounds that a run has without the saved selection that the browser has kept."""
    kept = stored if isinstance(stored, dict) else {}
    rounds = kept.get(ROUNDS) if kept.get("subset") else kept.get("rounds")
    return rounds if type(rounds) is int else RunConfig.rounds


def with_subset_of(subsets: Sequence[str], values: Sequence[Any], stored: object) -> list[Any]:
    """Return the form's values, without a saved selection that is not one of `subsets`.

    If the form had a saved selection and has none now, its rounds are those without one.
    """
    found = list(values)
    if found[PLACES["subset"]] not in subsets:
        found[PLACES["subset"]] = ""
        if isinstance(stored, dict) and stored.get("subset"):
            found[PLACES["rounds"]] = rounds_alone(stored)
    return found
