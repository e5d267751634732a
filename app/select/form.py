"""The settings of a selection, as a form of plain HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.shell import markup as m
from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.errors import InputError
from vecaf.selection.strategies import describe
from vecaf.store import CANCELED, FAILED, Task
from vecaf.store.runs import RunSummary

LABELS = {
    "strategy": "Strategy",
    "budget": "Budget",
    "seed": "Seed",
    "text_pull": "Text pull",
    "track": "What is scarce",
    "model": "Vision model (PVM)",
    "vlm": "Caption model (VLM)",
    "image_size": "Image size",
}


@dataclass(frozen=True)
class PoolFacts:
    """A dataset as the page needs it; `size` images may be selected, `labeled` have a label."""

    id: int
    name: str
    classes: list[str]
    size: int
    labeled: int


def read(data: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the form sent. Raises InputError for an empty field."""
    for name, words in LABELS.items():
        if not str(data.get(name, "")).strip():
            hint = " Enter a count such as 100 or a share such as 5%." if name == "budget" else ""
            raise InputError(f"{words} is empty.{hint}")
    return {name: data[name] for name in LABELS}


def form(pool: PoolFacts, runs: Sequence[RunSummary], tasks: Sequence[Task]) -> str:
    """The settings of a selection, as the first one shown has them."""
    default = RunConfig()
    had: dict[str, Any] = dict(tasks[0].params) if tasks else {}

    def value(name: str) -> Any:
        return had.get(name, getattr(default, name, None))

    strategies = sorted(describe(), key=lambda info: info.name != default.strategy)
    bases = [(run.id, f"Run {run.id}: {run.name}") for run in runs if run.rounds_done]
    scarce = [(LABEL_FREE, "Labels: they must be bought")]
    if pool.labeled == pool.size and pool.size:
        scarce.append((LABELS_KNOWN, "Training: labels are known"))
    fields = (
        _select("strategy", [(s.name, s.name) for s in strategies], value("strategy"))
        + _input("budget", value("budget"), hint="a count, or a share such as 5%", required=True)
        + _input("seed", value("seed"), kind="number", required=True)
        + _input("text_pull", value("text_pull"), hint="0 to 1; 0 leaves text out", required=True)
        + _select("run", [("", "no run yet"), *bases], had.get("run") or "", label="Based on")
        + _select("track", scarce, value("track"))
    )
    advanced = (  # may be collapsed, where a browser can't report an empty field
        _input("model", value("model"))
        + _input("vlm", value("vlm"))
        + _input("image_size", value("image_size"), hint="0 chooses")
    )
    ready = tasks and tasks[0].state not in (FAILED, CANCELED)
    beside = (
        '<button type="submit" name="beside" value="1" title="Select with these settings and '
        'show both side by side">Compare with this</button>'
        if ready
        else ""
    )
    words = "".join(
        f"<div><dt>{m.text(s.name)}</dt><dd>{m.text(s.description)}</dd></div>" for s in strategies
    )
    return (
        f'<form class="card select-form" data-act="select" data-dataset="{pool.id}" '
        f'data-key="form-{pool.id}-{tasks[0].id if tasks else 0}">{fields}'
        f'<details><summary>More settings</summary><div class="select-more">{advanced}</div>'
        f'</details><details><summary>What the strategies do</summary><dl class="select-words">'
        f"{words}</dl></details>"
        f'<div class="card-foot"><button type="submit" class="primary">Select</button>{beside}'
        "</div></form>"
    )


def _input(
    name: str, value: Any, *, kind: str = "text", hint: str = "", required: bool = False
) -> str:
    small = f"<small>{hint}</small>" if hint else ""
    shown = f"{value:g}" if isinstance(value, float) else value
    return (
        f'<label class="field"><span>{LABELS[name]}</span>{small}<input name="{name}" '
        f'type="{kind}" value="{m.text(shown)}" autocomplete="off"'
        f"{' required' if required else ''}></label>"
    )


def _select(
    name: str, options: Sequence[tuple[Any, str]], chosen: Any, *, label: str | None = None
) -> str:
    inner = "".join(
        f'<option value="{m.text(value)}"{" selected" if value == chosen else ""}>{m.text(words)}'
        "</option>"
        for value, words in options
    )
    return (
        f'<label class="field"><span>{label or LABELS[name]}</span>'
        f'<select name="{name}">{inner}</select></label>'
    )
