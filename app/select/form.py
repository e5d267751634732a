"""The form with the settings of a selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from vecaf.config import LABEL_FREE, RunConfig
from vecaf.errors import InputError
from vecaf.selection.strategies import describe
from vecaf.store import CANCELED, FAILED, Task
from vecaf.store.runs import RunSummary

from ..finetune.form import CHOICES, label
from ..shell.templates import macros
from .state import PoolFacts
from .submission import SETTINGS

LABELS = {name: label(name) for name in SETTINGS} | {"budget": "Budget"}


def read(data: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the form sent. Raises InputError for an empty field."""
    for name, words in LABELS.items():
        if not str(data.get(name, "")).strip():
            hint = " Enter a count such as 100 or a percentage such as 5%."
            raise InputError(f"{words} is empty.{hint if name == 'budget' else ''}")
    return {name: data[name] for name in LABELS}


def form(pool: PoolFacts, runs: Sequence[RunSummary], tasks: Sequence[Task]) -> Markup:
    """Return the form, filled in with the settings of the first task shown or the defaults."""
    config = RunConfig()
    params: dict[str, Any] = dict(tasks[0].params) if tasks else {}
    values = {name: _text(params.get(name, getattr(config, name))) for name in LABELS}
    values["run"] = _text(params.get("run") or "")
    all_labeled = 0 < pool.size == pool.labeled
    offered = [info for info in describe() if all_labeled or LABEL_FREE in info.tracks]
    html: Markup = macros("select", "form.html").form(
        pool=pool,
        labels=LABELS,
        goals=CHOICES["track"],
        values=values,
        strategies=sorted(offered, key=lambda info: info.name != config.strategy),
        runs=[run for run in runs if run.rounds_done],
        all_labeled=all_labeled,
        can_compare=bool(tasks) and tasks[0].state not in (FAILED, CANCELED),
        key=f"form-{pool.id}-{tasks[0].id if tasks else 0}",
    )
    return html


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
