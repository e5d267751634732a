"""The Shift page as HTML, from plain records: words, where they point, corrupted copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.shell import markup as m
from app.shell.address import link
from app.shift.routes import preview_url
from vecaf.evaluation.corruptions.matching import NAMES, SEVERITIES
from vecaf.store import CANCELED, ENDED, FAILED, Run, Sample, Task

EXAMPLES = ("in thick fog", "in the snow", "at night", "a black and white line drawing of")
TITLE = (
    '<div class="title"><h1>Shift</h1><p>Describe a domain that you have no images of, and train '
    "a model for it from your words.</p></div>"
)


def nothing() -> str:
    """The page of a studio without a dataset."""
    hint = 'Bring images to the <a href="/">Data page</a> first.'
    return TITLE + m.empty("No dataset yet", hint)


def missing(sentence: str) -> str:
    hint = 'It may have been removed. <a href="/shift" data-go>Go to the newest dataset</a>.'
    return TITLE + m.empty(sentence, hint)


def top(
    datasets: Sequence[tuple[int, str]],
    dataset: int,
    words: str,
    idle: str | None,
    base: Run | None,
) -> str:
    """The title, the choice of dataset, the run that the page was opened from, and the words."""
    examples = "".join(
        f'<button type="button" class="link" data-act="point" data-dataset="{dataset}" '
        f'data-words="{m.text(example)}">{m.text(example)}</button>'
        for example in EXAMPLES
    )
    return (
        f'<div class="card-head">{TITLE}<span class="grow"></span>'
        f"{m.dataset_picker('/shift', datasets, dataset)}</div>"
        f"{m.notice(idle, 'warn') if idle else ''}{_based(base, dataset, words)}"
        f'<form class="card shift-words" data-act="point" data-dataset="{dataset}">'
        f'<label for="shift-words">Words for what your images lack</label>'
        f'<div class="shift-row"><input id="shift-words" data-key="words-{m.text(words)}" '
        f'name="words" value="{m.text(words)}" placeholder="in thick fog" maxlength="200" '
        'required autocomplete="off"><button type="submit" class="primary">Show where they point'
        f'</button></div><p class="muted shift-examples">For example: {examples}</p></form>'
    )


def _based(base: Run | None, dataset: int, words: str) -> str:
    if base is None:
        return ""
    run = f'<a href="{m.text(link("/runs", run=base.id))}">run {base.id}: {m.text(base.name)}</a>'
    other = m.text(link("/shift", dataset=dataset, words=words or None))
    return (
        f'<p class="muted shift-run"><span>Based on {run}</span>'
        f'<a href="{other}" data-go data-stay>Choose other settings</a></p>'
    )


def preview(
    words: str,
    task: Task | None,
    pictures: Mapping[int, Sample],
) -> str:
    """Where the words point, as far as the task has got; what to do where there is none."""
    if not words:
        return m.empty(
            "Which domain should the model cope with?",
            "Type words for it above. You will see where they point, what such images may look "
            "like, and whether training with the words helps.",
        )
    if task is None:
        return m.notice("Press “Show where they point” to see what these words do here.", "quiet")
    if task.state == FAILED:
        return m.notice(task.error or "The words could not be followed; try again.")
    if task.state == CANCELED:
        again = "Following these words was canceled. Press “Show where they point” to go on."
        return m.notice(again, "quiet")
    if task.state not in ENDED or not task.result:
        stage = task.stage[:1].upper() + task.stage[1:] if task.stage else "Waiting for its turn"
        bar = m.progress(f"task-{task.id}-{task.stage}", stage, task.done, task.total)
        return f'<section class="card" data-key="preview-{task.id}">{bar}</section>'
    return _directions(task, task.result, pictures)


def wanted(task: Task | None) -> list[int]:
    """The samples that `preview` shows thumbnails of."""
    classes = (task.result or {}).get("classes", []) if task else []
    return [id_ for one in classes for id_ in one["nearest"]]


def _directions(task: Task, result: Mapping[str, Any], pictures: Mapping[int, Sample]) -> str:
    useful = result["strength"] > 0
    how_far = ("How far features move (β)", f"{result['strength']:g}")
    facts = m.facts(
        (how_far, ("Cosine to the nearest words it knows", f"{result['reach']:.2f}"))
        if result.get("learned")
        else (
            how_far,
            ("Share of the way that images can go", m.percent(result["reach"])),
            ("Agreement of text and images", f"{result['agreement']:.2f}"),
        )
    )
    rows = "".join(_class(one, pictures) for one in result["classes"])
    dashed = "" if useful else " Dashed: a run would not go there."
    return (
        f'<section class="card" data-key="preview-{task.id}"><h2>Where the words point</h2>'
        f"{m.notice(result['reason'], 'good' if useful else 'warn')}"
        '<div class="pair"><div>'
        f'<div class="shift-map" data-own data-key="map-{task.id}" data-shift-map="{task.id}" '
        f'data-useful="{int(useful)}"></div><p class="muted">Each arrow leads from a class to '
        f"where the words take its images.{dashed}</p>{facts}</div>"
        '<div class="shift-side"><h3>Nearest to where they lead</h3><p class="muted">Images of '
        "this dataset that lie nearest to each class once it has moved.</p>"
        f'<ul class="shift-near">{rows}</ul></div></div></section>'
    )


def _class(one: Mapping[str, Any], pictures: Mapping[int, Sample]) -> str:
    near = "".join(
        m.thumb(sample.id, sample.sha256, [f"Near {one['name']}", sample.caption or ""])
        for sample in (pictures.get(id_) for id_ in one["nearest"])
        if sample is not None
    )
    return (
        f'<li><div><b>{m.text(one["name"])}</b><small class="muted num">'
        f'{m.plural(one["images"], "image")}</small></div><div class="strip">{near}</div></li>'
    )


def strips(
    samples: Sequence[Sample],
    corruption: str,
    matched: str | None,
    address: Mapping[str, object],
) -> str:
    """Some of the user's images under a corruption, from mild to severe."""
    if not samples:
        return ""
    options = "".join(
        f'<option value="{m.text(link("/shift", **{**address, "corruption": name}))}"'
        f"{' selected' if name == corruption else ''}>{name.replace('_', ' ')}</option>"
        for name in NAMES
    )
    if matched:
        hint = f"Your words sound like {matched.replace('_', ' ')}."
    elif address.get("words"):
        hint = "No corruption says the same as your words; choose the one that comes nearest."
    else:
        hint = "Fifteen ways in which images go wrong, at five severities."
    head = "".join(f'<span class="muted num">{s}</span>' for s in SEVERITIES)
    rows = "".join(_strip(sample, corruption) for sample in samples)
    return (
        '<section class="card" data-key="strips"><div class="card-head"><h2>What such images may '
        'look like</h2><span class="grow"></span><label class="dataset-picker"><span>Corruption'
        f"</span><select data-jump>{options}</select></label></div>"
        f'<p class="muted">{hint}</p><div class="shift-strips" tabindex="0" role="group" '
        'aria-label="Corrupted copies"><div class="shift-strip shift-strip-head">'
        f'<span class="muted">original</span>{head}</div>{rows}</div></section>'
    )


def _strip(sample: Sample, corruption: str) -> str:
    name = corruption.replace("_", " ")
    copies = "".join(
        f'<span class="shift-copy" data-severity="{severity}"><img src="'
        f'{m.text(preview_url(sample.id, sample.sha256, corruption, severity))}" '
        f'alt="{name}, severity {severity}" loading="lazy" decoding="async"></span>'
        for severity in SEVERITIES
    )
    thumb = m.thumb(sample.id, sample.sha256, ["Original", sample.caption or ""])
    return (
        f'<div class="shift-strip" data-key="strip-{sample.id}-{corruption}">{thumb}{copies}</div>'
    )
