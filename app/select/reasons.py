"""Why an image was selected: the facts that the panel beside the map explains."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from vecaf.config import LABEL_FREE
from vecaf.selection import STRATEGIES
from vecaf.store import Sample, Task
from vecaf.tasks.select_images import SelectionExplanation

from ..runs.run_view import SCORES
from ..shell.templates import macros
from .state import PageState

OWN_ROW = ("density", "loss_weight")  # scores that a row of their own explains


@dataclass(frozen=True)
class Reasons:
    """Facts about one selected image, whose `rank` counts from 1.

    represented  how many images of the pool it represents, itself included, and as a share (0 to 1)
    denser       share of the pool (0 to 1) that lies in a less dense region
    loss         per-sample loss in nats; None without a model
    expected     whether the label was hidden, so that `loss` is its expected value
    selects_by_loss  whether the strategy needs losses
    caption      sentence that moved its features; None where captions had no effect
    origin       where the sentence comes from: caption, label or look
    angle        degrees by which the sentence moved the features
    alternative  image that would be selected instead, if any
    plain        whether `alternative` is what the strategy selects without captions and losses
    """

    sample: Sample
    label: str | None
    rank: int
    count: int
    previous: int | None
    next: int | None
    represented: int
    share: float
    members: list[Sample]
    denser: float
    density: float | None
    loss: float | None
    expected: bool
    loss_weight: float | None
    selects_by_loss: bool
    run: int | None
    caption: str | None
    origin: str
    angle: float
    alternative: Sample | None
    plain: bool
    scores: list[tuple[str, float]]


def panel(state: PageState, task: Task, selected: SelectionExplanation) -> Markup:
    """Return the panel for the image that the address names, by default the first one."""
    at = selected.ids.index(state.image) if state.image in selected.ids else 0
    sample = state.samples.get(selected.ids[at])
    if sample is None:
        return Markup()
    html: Markup = macros("select", "reasons.html").panel(
        state, _reasons(state, task, selected, at, sample)
    )
    return html


def _reasons(
    state: PageState, task: Task, selected: SelectionExplanation, at: int, sample: Sample
) -> Reasons:
    ids, other = selected.ids, selected.displaced[at]
    caption, origin = selected.captions[at] if selected.captions else (None, "")
    pool = max(1, int(task.result.get("pool", 1)))
    return Reasons(
        sample=sample,
        label=state.label(sample),
        rank=at + 1,
        count=len(ids),
        previous=ids[at - 1] if at else None,
        next=ids[at + 1] if at + 1 < len(ids) else None,
        represented=selected.covers[at],
        share=selected.covers[at] / pool,
        members=[state.samples[i] for i in selected.members[at] if i in state.samples],
        denser=selected.typical[at],
        density=_score(selected, "density", at),
        loss=None if selected.losses is None else selected.losses[at],
        expected=task.params.get("track") == LABEL_FREE,
        loss_weight=_score(selected, "loss_weight", at),
        selects_by_loss=_needs_losses(
            str(task.result.get("strategy", task.params.get("strategy")))
        ),
        run=task.params.get("run"),
        caption=None if selected.turned is None else caption,
        origin=origin,
        angle=0.0 if selected.turned is None else selected.turned[at],
        alternative=None if other is None else state.samples.get(other),
        plain=selected.because[at] == "plain",
        scores=_other_scores(selected, at),
    )


def _needs_losses(strategy: str) -> bool:
    return strategy in STRATEGIES and "losses" in STRATEGIES[strategy].info.required


def _score(selected: SelectionExplanation, name: str, at: int) -> float | None:
    values = selected.scores.get(name)
    return values[at] if values else None


def _other_scores(selected: SelectionExplanation, at: int) -> list[tuple[str, float]]:
    found = ((name, values[at]) for name, values in selected.scores.items() if name not in OWN_ROW)
    return [
        (SCORES.get(name, name.replace("_", " ")), value)
        for name, value in found
        if value is not None
    ]
