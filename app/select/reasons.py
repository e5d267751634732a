"""Why a pick is there, in words and with the images that it concerns."""

from __future__ import annotations

from app.select.shown import Shown
from app.shell import markup as m
from app.shell.address import whole
from vecaf.store import Sample, Task
from vecaf.tasks.select_images import Explained

SOURCES = {
    "caption": "its own caption",
    "label": "its label",
    "look": "what it looks like to the caption model",
}


def panel(shown: Shown, task: Task, picks: Explained) -> str:
    """The chosen pick (the address's, else the first) with its reasons."""
    chosen = whole(dict(shown.values), "pick")
    at = picks.ids.index(chosen) if chosen in picks.ids else 0
    sample = shown.samples.get(picks.ids[at])
    if sample is None:
        return ""
    label = "no label yet" if sample.label is None else shown.pool.classes[sample.label]
    steps = "".join(
        f'<a class="button quiet" data-pick="{picks.ids[to]}" aria-label="{name} pick" '
        f'href="{m.text(shown.address(pick=picks.ids[to]))}">{arrow}</a>'
        for to, arrow, name in ((at - 1, "←", "Previous"), (at + 1, "→", "Next"))
        if 0 <= to < len(picks.ids)
    )
    reasons = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>"
        for name, value in (
            ("Stands for", _stands_for(shown, task, picks, at)),
            ("Surroundings", _surroundings(picks, at)),
            ("Weight", _weight(task, picks, at)),
            ("Text", _text(picks, at)),
            ("Instead of", _instead(shown, task, picks, at)),
            ("Scores", _scores(picks, at)),
        )
    )
    words = [
        f"Pick {at + 1}: {label}",
        sample.file_name,
        *([sample.caption] if sample.caption else []),
    ]
    return (
        f'<section class="card why" data-key="why" aria-live="polite"><div class="card-head">'
        f'<h3>Why pick {m.number(at + 1)}?</h3><span class="grow"></span>{steps}</div>'
        f'<div class="why-head">{m.thumb(sample.id, sample.sha256, words)}<div>'
        f"<b>{m.text(label)}</b>"
        f'<br><small class="muted">{m.text(sample.file_name)}</small>'
        + (f"<br><small>{m.text(sample.caption)}</small>" if sample.caption else "")
        + f'</div></div><dl class="reasons">{reasons}</dl></section>'
    )


def _stands_for(shown: Shown, task: Task, picks: Explained, at: int) -> str:
    pool = max(1, int(task.result.get("pool", 1)))
    count = picks.covers[at]
    members = [shown.samples[i] for i in picks.members[at] if i in shown.samples]
    wall = "".join(_small(sample) for sample in members)
    return (
        f"{m.plural(count, 'image')} ({m.percent(count / pool)} of the pool) that "
        f"{'is' if count == 1 else 'are'} nearer to it than to any other pick"
        + (f'<span class="why-wall">{wall}</span>' if wall else "")
    )


def _surroundings(picks: Explained, at: int) -> str:
    density = _score(picks, "density", at)
    said = f"; density {density:.2f}" if density is not None else ""
    return f"denser than around {m.percent(picks.typical[at])} of the images{said}"


def _score(picks: Explained, name: str, at: int) -> float | None:
    """A pick's score; None where its strategy gives no such one."""
    values = picks.scores.get(name)
    return values[at] if values else None


def _weight(task: Task, picks: Explained, at: int) -> str:
    if picks.losses is None:
        return "no model yet, so every image weighs the same"
    run = task.params.get("run")
    whose = f"run {run}'s model" if run else "a classifier that knows the classes' names"
    cost = f"it costs {whose} {picks.losses[at]:.2f} nats"
    weight = _score(picks, "loss_weight", at)
    if weight is None:
        return f"{cost}; this strategy does not weigh that"
    return f"{weight:.2f} (1 is average): {cost}"


def _text(picks: Explained, at: int) -> str:
    if picks.turned is None or picks.captions is None:
        return "had no say"
    sentence, source = picks.captions[at]
    return f"turned it by {picks.turned[at]:.1f}° toward “{m.text(sentence)}” ({SOURCES[source]})"


def _scores(picks: Explained, at: int) -> str:
    """The strategy's own numbers, those that no line above has said."""
    parts = [
        f"{m.text(name.replace('_', ' '))} {values[at]:.3g}"
        for name, values in picks.scores.items()
        if name not in ("density", "loss_weight") and values[at] is not None
    ]
    return ", ".join(parts) or "this strategy gives none"


def _instead(shown: Shown, task: Task, picks: Explained, at: int) -> str:
    other = picks.displaced[at]
    sample = shown.samples.get(other) if other is not None else None
    if sample is None:
        return "nothing: no other image lies here"
    why = (
        "which would be picked without text"
        + (" and losses" if picks.losses is not None else "")
        + ", and now is not: the one most like this pick"
        if picks.because[at] == "plain"
        else "the second choice here: of the images it stands for, the one nearest to their middle"
    )
    return f'<span class="why-wall">{_small(sample)}</span> {why}'


def _small(sample: Sample) -> str:
    return m.thumb(sample.id, sample.sha256, [sample.file_name])
