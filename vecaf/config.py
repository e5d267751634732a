"""A run's configuration: one frozen dataclass behind the form, the command line and the store."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from vecaf.errors import InputError

LABEL_FREE, LABELS_KNOWN = "label-free", "labels-known"


def option(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    advanced: bool = False,
) -> Any:
    """A field with what a form and a command line need to offer it."""
    return field(
        default=default,
        metadata={
            "help": help,
            "choices": choices,
            "minimum": minimum,
            "maximum": maximum,
            "advanced": advanced,
        },
    )


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result, given the dataset's content.

    Each field carries its help, choices and bounds as metadata; `checked` enforces them.
    """

    dataset: str = option("", "The dataset's name.")
    model: str = option(
        "efficientnet_lite0",
        "The pretrained vision model to finetune: an embedded one, any timm name, "
        "or NAME@FILE.safetensors.",
    )
    vlm: str = option(
        "embedded",
        "The vision-language model that embeds captions: 'embedded', or an open_clip "
        "NAME/PRETRAINED.",
    )
    strategy: str = option("vecaf", "How images are selected.")
    strategy_options: str = option(
        "",
        "The strategy's own options, such as 'gamma=0, objective=released-code'; "
        "`vecaf strategies` lists them.",
        advanced=True,
    )
    track: str = option(
        LABEL_FREE,
        "label-free: labels are what costs, and only picked images show theirs to the selector. "
        "labels-known: training is what costs, and the selector may use every pool label.",
        choices=(LABEL_FREE, LABELS_KNOWN),
    )
    budget: str = option("5%", "Images picked in each round: a count (100) or a share (2%).")
    rounds: int = option(3, "How often to select and train.", minimum=1, maximum=100)
    subset: str = option(
        "",
        "A saved selection of the dataset: the first round trains on its labelled images instead "
        "of selecting.",
    )
    mode: str = option(
        "head-only",
        "head-only trains a classifier on fixed features (fast); full also finetunes the model; "
        "lora finetunes it through small adapters, which wants a learning rate some 10 times "
        "higher.",
        choices=("head-only", "lora", "full"),
    )
    epochs: int = option(
        20, "Passes over the picked images, in each round.", minimum=1, maximum=1000
    )
    patience: int = option(
        0,
        "Stop a round's training when validation has not improved for so many epochs; 0 never "
        "does. The learning rate still falls as if all epochs came.",
        minimum=0,
        maximum=1000,
        advanced=True,
    )
    picks: str = option(
        "keep",
        "keep: a round trains on its own picks and all earlier ones. replace: on its own alone "
        "(labels-known).",
        choices=("keep", "replace"),
        advanced=True,
    )
    schedule: str = option(
        "round",
        "round: the learning rate falls to zero in every round. run: over all rounds together, "
        "and the optimizer's state goes on (labels-known); better for many short rounds.",
        choices=("round", "run"),
        advanced=True,
    )
    head_init: str = option(
        "text",
        "What the classifier starts from. zeros: nothing. text: what the classes' names say of the "
        "pool, which weight decay then pulls toward. means: linear discriminants of the "
        "classes, from features and labels that the track has paid for, without a batch; the "
        "better they fit more images than there are features, the smaller the classifier's "
        "learning rate after them. Where the whole model learns from few images, zeros did better.",
        choices=("zeros", "text", "means"),
        advanced=True,
    )
    batch_size: int = option(32, "Images in one optimizer step.", minimum=1, maximum=4096)
    lr: float = option(
        0.0003,
        "Learning rate of the model's last layers in full mode; earlier layers get less.",
        minimum=1e-8,
        maximum=1.0,
    )
    head_lr: float = option(
        0.03, "Learning rate of the classifier.", minimum=1e-8, maximum=10.0, advanced=True
    )
    head_weight_decay: float = option(
        0.3, "AdamW's weight decay of the classifier.", minimum=0.0, maximum=10.0, advanced=True
    )
    lora_rank: int = option(
        16, "Rank of the adapters (mode lora).", minimum=1, maximum=1024, advanced=True
    )
    layer_decay: float = option(
        0.75,
        "Each earlier layer group's learning rate, as a share of the next one's (full mode).",
        minimum=0.01,
        maximum=1.0,
        advanced=True,
    )
    weight_decay: float = option(
        0.01,
        "AdamW's weight decay of the model (full mode).",
        minimum=0.0,
        maximum=10.0,
        advanced=True,
    )
    label_smoothing: float = option(
        0.1, "Label smoothing.", minimum=0.0, maximum=0.9, advanced=True
    )
    ema: float = option(
        0.99,
        "Decay of the moving average of the weights that is evaluated (full mode).",
        minimum=0.0,
        maximum=0.99999,
        advanced=True,
    )
    text_pull: float = option(
        0.25,
        "How far features are pulled toward their caption's embedding (CEA's η); 0 turns it off.",
        minimum=0.0,
        maximum=1.0,
    )
    target_words: str = option(
        "",
        "Words for a domain that the model must cope with and has no images of, such as "
        "'in thick fog'. They teach the classifier; where all of the model goes on from round to "
        "round, in the first one alone.",
    )
    image_size: int = option(
        0,
        "Pixels a side that the model sees; 0 chooses from the images (small ones stay small).",
        minimum=0,
        maximum=1024,
        advanced=True,
    )
    seed: int = option(0, "The same seed gives the same picks.", minimum=0, maximum=2**31 - 1)
    device: str = option("auto", "auto, cpu, cuda or cuda:N.")

    def checked(self) -> RunConfig:
        """Return self; raise InputError for the first field out of its bounds or choices."""
        for item in fields(self):
            _check(item, getattr(self, item.name))
        parse_budget(self.budget)
        for name, value in (("picks", "replace"), ("schedule", "run")):
            if getattr(self, name) == value and self.track != LABELS_KNOWN:
                raise InputError(
                    f"{name} '{value}' is for the labels-known track: only there a round goes on "
                    "from the one before."
                )
        if self.patience and self.schedule == "run":
            raise InputError(
                "patience can't stop a training whose schedule covers the whole run; use "
                "schedule 'round' or patience 0."
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """Build from a stored mapping; an unknown or ill-typed entry raises InputError."""
        known = {item.name: item for item in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InputError(f"Unknown setting '{unknown[0]}'. Known: {', '.join(known)}.")
        return cls(**{name: _typed(known[name], value) for name, value in values.items()}).checked()

    def as_command(self) -> str:
        """The equivalent command line, with only what differs from the defaults."""
        words = ["python", "-m", "vecaf", "run", self.dataset]
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "dataset" and value != item.default:
                words += [f"--{item.name.replace('_', '-')}", str(value)]
        return shlex.join(words)


@dataclass(frozen=True)
class Budget:
    """A budget as typed: a count, or a share of the pool."""

    amount: float
    share: bool

    def of(self, pool_size: int) -> int:
        """How many of `pool_size` images this is; a share rounds to the nearest, at least 1.

        Raises InputError when it is more than the pool holds.
        """
        count = max(1, round(pool_size * self.amount / 100)) if self.share else int(self.amount)
        if count > pool_size:
            raise InputError(
                f"The budget is {count} images, but only {pool_size} can be picked. Choose less."
            )
        return count


def parse_budget(text: str) -> Budget:
    """Read '250' or '2.5%'. Raises InputError for anything else, and for zero or less."""
    stripped = str(text).strip()
    share = stripped.endswith("%")
    try:
        amount = float(stripped.removesuffix("%"))
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or (not share and amount != int(amount)):
        raise InputError(f"The budget '{text}' is not a count such as 250 or a share such as 2%.")
    if amount <= 0:
        raise InputError(f"The budget is {text}; pick at least 1 image.")
    if share and amount > 100:
        raise InputError(f"The budget is {text}; a share is at most 100%.")
    return Budget(amount, share)


UNKEPT = re.compile("[\0\ud800-\udfff]")
"""Characters that a database refuses or drops."""


def _check(item: Field[Any], value: Any) -> None:
    name, meta = item.name.replace("_", "-"), item.metadata
    if isinstance(value, str) and UNKEPT.search(value):
        raise InputError(f"{name} holds a character that no database keeps; leave it out.")
    if meta["choices"] and value not in meta["choices"]:
        raise InputError(f"{name} is '{value}'; choose from {', '.join(meta['choices'])}.")
    low, high = meta["minimum"], meta["maximum"]
    if low is not None and not low <= value <= high:
        raise InputError(f"{name} is {value}; it must lie between {low:g} and {high:g}.")


def _typed(item: Field[Any], value: Any) -> Any:
    kind: Any = type(item.default)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # web forms send whole numbers as floats
    accepted: dict[Any, tuple[type, ...]] = {
        int: (int, str),
        float: (int, float, str),
        str: (str, int, float),
    }
    if isinstance(value, accepted[kind]) and not isinstance(value, bool):
        try:
            return kind(value)
        except ValueError:
            pass  # said below, with the same words as for a wrong type
    plain = {int: "whole number", float: "number", str: "text"}[kind]
    raise InputError(f"{item.name.replace('_', '-')} is '{value}', which is not a {plain}.")
