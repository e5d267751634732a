"""Pairs of runs as HTML: launching one, what it came to, and the earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.shell import markup as m
from app.shell.address import link
from app.shell.components.axis import fraction_range, fraction_ticks
from vecaf.evaluation.corruptions.matching import NAMES
from vecaf.store import CANCELED, ENDED, FAILED, FINISHED, Run, Task
from vecaf.store.pairs import Pair

FIELDS = (
    '<label>Budget<input name="budget" value="20%" required></label>'
    '<label>Seed<input name="seed" value="0" inputmode="numeric" required></label>'
    '<label>What to train<select name="mode"><option value="head-only">head-only (fast)</option>'
    '<option value="lora">lora</option><option value="full">full</option></select></label>'
)
WIDE, HIGH = 420, 210  # of the chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 34


def launch(dataset: int, words: str, base: Run | None) -> str:
    """The form that starts a plain and a text-shifted run; with `base`, only the latter."""
    if not words:
        return ""
    effect = (
        "The words act on the classifier; in full mode they shape the classifier that training "
    )
    if base is None:
        about = (
            "Two runs that differ in the words alone: one plain, one that also learns from "
            f"features moved by “{m.text(words)}”."
        )
        fields, button = FIELDS, "Launch the pair"
    else:
        about = (
            f"The same settings as run {base.id}, except that the new run also learns from "
            f"features moved by “{m.text(words)}”. Then you can compare the two runs."
        )
        fields, button = "", "Launch run with these words"
    return (
        f'<form class="card shift-launch" data-key="launch" data-act="launch" '
        f'data-dataset="{dataset}" data-words="{m.text(words)}"><h2>Does it help?</h2>'
        f'<p class="muted">{about} {effect}starts from.</p><div class="shift-fields">{fields}'
        f'<button type="submit" class="primary">{button}</button></div></form>'
    )


def result(
    pair: Pair,
    task: Task | None,
    corruption: str,
    kin: Sequence[tuple[int, str]],
    on: int,
) -> str:
    """The chosen pair: how far its runs are, then what they are worth."""
    runs = "".join(
        _run(name, run) for name, run in (("Plain", pair.plain), ("With words", pair.shifted))
    )
    head = (
        f'<div class="card-head"><h2>“{m.text(pair.words)}”</h2><span class="muted num">runs '
        f"{pair.plain.id} and {pair.shifted.id}</span></div>"
        f'<ul class="shift-runs">{runs}</ul>'
    )
    body = _worth(pair, task, corruption, kin, on) if _finished(pair) else _wait(pair)
    return f'<section class="card" data-key="pair-{pair.shifted.id}">{head}{body}</section>'


def _finished(pair: Pair) -> bool:
    return pair.plain.state == pair.shifted.state == FINISHED


def _wait(pair: Pair) -> str:
    ended = [run for run in (pair.plain, pair.shifted) if run.state in ENDED]
    failed = [run for run in ended if run.state != FINISHED]
    if failed:
        return m.notice(f"Run {failed[0].id} is {failed[0].state}; resume it on its page.", "warn")
    return '<p class="muted">When both have finished, they can be compared here.</p>'


def _run(name: str, run: Run) -> str:
    bar = ""
    if run.state not in ENDED:
        words = run.stage[:1].upper() + run.stage[1:] if run.stage else "Waiting for its turn"
        bar = m.progress(f"run-{run.id}-{run.stage}", words, run.done, run.total)
    return (
        f'<li><a href="{m.text(link("/runs", run=run.id))}">{name}: run {run.id}</a> '
        f"{m.chip(run.state)}{bar}</li>"
    )


def _worth(
    pair: Pair, task: Task | None, corruption: str, kin: Sequence[tuple[int, str]], on: int
) -> str:
    if task is None:
        return _ask(pair, corruption, kin, on)
    if task.state == FAILED:
        error = m.notice(task.error or "The comparison failed; try again.")
        return error + _ask(pair, corruption, kin, on)
    if task.state == CANCELED:
        words = "The comparison was canceled. Ask for it again where you need it."
        return m.notice(words, "quiet") + _ask(pair, corruption, kin, on)
    if task.state not in ENDED or not task.result:
        stage = task.stage[:1].upper() + task.stage[1:] if task.stage else "Waiting for its turn"
        return m.progress(f"task-{task.id}-{task.stage}", stage, task.done, task.total)
    found = task.result
    helped = _beyond(found.get("overall")) or _beyond(_as_range(found.get("other")))
    sentences = "".join(
        m.notice(words, "good" if helped else "quiet") for words in found["sentences"]
    )
    return (
        f'{sentences}<div class="pair">{chart(found["levels"], corruption)}'
        f'<div class="scroll" tabindex="0">{_table(found, corruption)}</div></div>'
        f"{_ask(pair, corruption, kin, on)}"
    )


def _ask(pair: Pair, corruption: str, kin: Sequence[tuple[int, str]], on: int) -> str:
    names = "".join(
        f'<option value="{name}"{" selected" if name == corruption else ""}>'
        f"{name.replace('_', ' ')}</option>"
        for name in NAMES
    )
    others = "".join(
        f'<option value="{id_}"{" selected" if id_ == on else ""}>{m.text(name)}</option>'
        for id_, name in kin
    )
    also = (
        f'<label>And on another dataset<select name="on"><option value="0">none</option>{others}'
        "</select></label>"
        if kin
        else '<input type="hidden" name="on" value="0">'
    )
    return (
        f'<form class="shift-fields" data-act="compare" data-pair="{pair.shifted.id}" '
        f'data-plain="{pair.plain.id}"><label>Compare on test images under'
        f'<select name="corruption">{names}</select></label>{also}'
        '<button type="submit">Compare</button></form>'
    )


def _table(found: Mapping[str, Any], corruption: str) -> str:
    rows = [
        (f"{corruption.replace('_', ' ')} {one['severity']}" if one["severity"] else "clean", one)
        for one in found["levels"]
    ]
    if found["other"]:
        rows.append((found["other"]["name"], found["other"]))
    body = "".join(
        f'<tr><th scope="row">{m.text(name)}</th><td class="num">{m.percent(one["plain"])}</td>'
        f'<td class="num">{m.percent(one["shifted"])}</td><td class="num">{_points(one)}</td></tr>'
        for name, one in rows
    )
    images = found["levels"][0]["images"]
    return (
        '<table class="table shift-table"><thead><tr><th scope="col">Images</th><th scope="col">'
        'Plain</th><th scope="col">With words</th><th scope="col">Difference (95%)</th></tr>'
        f'</thead><tbody>{body}</tbody></table><p class="muted">{m.plural(images, "test image")}; '
        "intervals are over images, for this one pair of runs.</p>"
    )


def _points(one: Mapping[str, Any]) -> str:
    return (
        f"{100 * one['difference']:+.1f} <small class='muted'>({100 * one['low']:+.1f} to "
        f"{100 * one['high']:+.1f})</small>"
    )


def chart(levels: Sequence[Mapping[str, Any]], corruption: str) -> str:
    """Accuracy by severity, two lines; the table beside it has the numbers."""
    values: list[float] = [one[side] for one in levels for side in ("plain", "shifted")]
    low, high = fraction_range(values)

    def x(place: int) -> float:
        return LEFT + (WIDE - LEFT - RIGHT) * place / max(1, len(levels) - 1)

    def y(value: float) -> float:
        return TOP + (HIGH - TOP - BOTTOM) * (high - value) / (high - low)

    ticks = "".join(
        f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}" class="grid"/>'
        f'<text x="{LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{label}</text>'
        for v, label in fraction_ticks(low, high)
    )
    names = "".join(
        f'<text x="{x(i):.1f}" y="{HIGH - 12}" text-anchor="middle">'
        f"{one['severity'] or 'clean'}</text>"
        for i, one in enumerate(levels)
    )
    lines = ""
    for side in ("plain", "shifted"):
        points = [(x(i), y(one[side])) for i, one in enumerate(levels)]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        dots = "".join(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5"/>' for px, py in points)
        lines += f'<g class="{side}"><polyline points="{line}" fill="none"/>{dots}</g>'
    what = f"Accuracy by severity of {corruption.replace('_', ' ')}"
    return (
        f'<figure class="shift-chart"><svg viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{m.text(what)}; the table has the numbers">{ticks}{names}{lines}</svg>'
        '<figcaption class="legend"><span><i class="plain"></i>plain</span>'
        '<span><i class="shifted"></i>with words</span></figcaption></figure>'
    )


def earlier(pairs: Sequence[Pair], address: Mapping[str, object]) -> str:
    """Every pair of the dataset, newest first. `address` holds the page's parameters."""
    if not pairs:
        return ""
    rows = "".join(_earlier(pair, address) for pair in pairs)
    return (
        '<section class="card" data-key="earlier"><h2>Pairs on this dataset</h2>'
        f'<ul class="shift-earlier">{rows}</ul></section>'
    )


def _earlier(pair: Pair, address: Mapping[str, object]) -> str:
    own = {**address, "words": pair.words, "pair": pair.shifted.id, "on": None}
    href = m.text(link("/shift", **own))
    current = " aria-current=true" if pair.shifted.id == address["pair"] else ""
    return (
        f'<li data-key="earlier-{pair.shifted.id}"><a data-go href="{href}"'
        f"{current}>“{m.text(pair.words)}”</a>"
        f'<span class="muted num">runs {pair.plain.id} and {pair.shifted.id}</span>'
        f"{m.chip(pair.shifted.state)}</li>"
    )


def _as_range(one: Mapping[str, Any] | None) -> list[float] | None:
    return [one["difference"], one["low"], one["high"]] if one else None


def _beyond(found: Sequence[float] | None) -> bool:
    """Whether the words help beyond chance."""
    return found is not None and found[1] > 0
