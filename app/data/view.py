"""The Data page's HTML, from plain records."""

from __future__ import annotations

from collections.abc import Sequence

from app.shell import markup as m
from app.shell.address import link
from app.shell.components.live import NOTHING
from app.shell.media import thumb_url
from app.shell.next_step_view import next_step_link
from app.shell.words import SPLITS
from vecaf.runs.demo_run import COLOR, LINE
from vecaf.store import CANCELED, ENDED, FAILED, QUEUED, Import, Sample
from vecaf.store.page_queries import DatasetCard
from vecaf.store.runs import RunSummary

TITLE = (
    '<div class="title"><h1>Data</h1><p>Finetune a vision model on the few images that matter: '
    "upload yours, see what arrived, put it right, and launch a run.</p></div>"
)
BARS = 12  # classes that a card draws; the rest are counted


def under_way(jobs: Sequence[Import], runs: Sequence[RunSummary]) -> str:
    """Imports and runs under way, and imports that failed or were canceled lately."""
    shown = [job for job in jobs if job.state not in ENDED or job.state in (FAILED, CANCELED)]
    active = [run for run in runs if run.state not in ENDED]
    return "".join([*map(_import, shown), *map(_run, active)]) or NOTHING


def _run(run: RunSummary) -> str:
    address = m.text(link("/runs", run=run.id))
    stage = f'<span class="muted">{m.text(run.stage)}</span>' if run.stage else ""
    return (
        f'<a class="card under-way" data-key="run-{run.id}" href="{address}">{m.chip(run.state)}'
        f'<b>{m.text(run.name)}</b>{stage}<span class="grow"></span><span>Watch it →</span></a>'
    )


def _import(job: Import) -> str:
    title = f"<h3>{m.text(job.name)}</h3>{m.chip(job.state)}"
    if job.state in ENDED:
        sentence = job.error or "The import was canceled; nothing was kept."
        body = m.notice(sentence, "error" if job.state == FAILED else "quiet")
        button = ""
    else:
        words = "Waiting for its turn" if job.state == QUEUED else job.stage or "Starting"
        if job.cancel_requested:
            words = "Canceling"
        words = words[:1].upper() + words[1:]
        body = _steps(job) + m.progress(f"import-{job.id}-{job.stage}", words, job.done, job.total)
        button = (
            ""
            if job.cancel_requested
            else f'<button type="button" class="quiet" data-act="cancel" data-import="{job.id}">'
            "Cancel</button>"
        )
    return (
        f'<section class="card import" data-key="import-{job.id}"><div class="card-head">{title}'
        f"<span class=grow></span>{button}</div>{body}</section>"
    )


def _steps(job: Import) -> str:
    """Where an import stands: the first step of an upload is the drop zone's (upload.js)."""
    first = "Download" if job.source.startswith("torchvision:") else "Upload"
    steps = (
        ["Images", "Ready"]
        if job.source.startswith(("demo:", "folder:"))
        else [
            first,
            "Images",
            "Ready",
        ]
    )
    here = steps.index("Images")
    if first in steps and first == "Download" and not job.stage.startswith(("Checking", "Saving")):
        here = 0
    items = "".join(
        f"<li{' class=done' if i < here else ' aria-current=step' if i == here else ''}>{name}</li>"
        for i, name in enumerate(steps)
    )
    return f'<ol class="steps">{items}</ol>'


def listing(
    cards: Sequence[DatasetCard], busy: bool, *, sources: str = "", deleted: str | None = None
) -> str:
    """Every dataset as a card; what to do first where there is none. `sources`: other sources."""
    offer = sources + ("" if busy else _offer({card.name for card in cards}))
    if deleted is not None:
        offer = m.notice(f"'{deleted}' was deleted.", "good") + offer
    if not cards:
        hint = (
            "The first one is on its way."
            if busy
            else "Drop a zip above. Labels come from its folders or its metadata.csv."
        )
        return offer + m.empty("No datasets yet", hint)
    return offer + f'<div class="cards">{"".join(map(_card, cards))}</div>'


def _offer(present: set[str]) -> str:
    """The demo where there is nothing yet, its twin beside it."""

    def button(name: str, words: str) -> str:
        data = f'data-act="demo" data-demo="{name}"'
        return f'<button type="button" class="link" {data}>{words}</button>'

    if not present:
        words = f"No data at hand? {button(COLOR, 'Load the demo')}: emoji in six classes."
    elif COLOR in present and LINE not in present:
        words = f"{button(LINE, 'Add the demo’s twin')}: the same emoji as line drawings."
    else:
        return ""
    return f'<p class="offer">{words}</p>'


def _card(card: DatasetCard) -> str:
    address = m.text(link("/", dataset=card.id))
    strip = "".join(map(_picture, card.pictures))
    return (
        f'<article class="card dataset" data-key="dataset-{card.id}">'
        f'<a class="strip" href="{address}" data-go tabindex="-1" aria-hidden="true">{strip}</a>'
        f'<div class="card-head"><h2><a href="{address}" data-go>{m.text(card.name)}</a></h2>'
        f'{_shared(card)}<span class="grow"></span>'
        f'<span class="muted num">{m.plural(card.size, "image")}</span>'
        f"</div>{split_bar(card)}{_classes(card, BARS)}{_refused(card)}"
        f'<div class="card-foot">{"" if card.owner else next_step_link(card.id, card.next)}'
        f'<a class="button quiet" href="{address}" data-go>Details</a>{_rooms(card)}'
        f"{attribution(card)}</div></article>"
    )


def _shared(card: DatasetCard) -> str:
    """Whose it is, where another user shares it."""
    return f'<span class="muted">shared by {m.text(card.owner)}</span>' if card.owner else ""


def went(name: str) -> str:
    """What a page shows whose dataset has just been deleted: it goes on to the list."""
    return (
        f"<p data-replace=\"{m.text(link('/', deleted=name))}\">'{m.text(name)}' was deleted.</p>"
    )


def missing(sentence: str) -> str:
    return m.empty(sentence, 'It may have been removed. <a href="/" data-go>See all data</a>.')


def _picture(sample: Sample) -> str:
    source = thumb_url(sample.id, sample.sha256)
    return (
        f'<span class="thumb" data-key="{sample.id}">'
        f'<img src="{source}" alt="" loading="lazy" decoding="async"></span>'
    )


def _rooms(card: DatasetCard) -> str:
    return "".join(
        f'<a class="button quiet" href="{m.text(link(path, dataset=card.id))}">{name}</a>'
        for name, path in (("Explore", "/explore"), ("Select", "/select"), ("Label", "/label"))
        if name.lower() != card.next.kind  # the main button leads there
    )


def split_bar(card: DatasetCard) -> str:
    total = max(1, card.size)
    known = [split for split in SPLITS if card.splits.get(split)]
    bar = "".join(
        f'<i class="split-{split}" style="width:{100 * card.splits[split] / total:.2f}%"></i>'
        for split in known
    )
    words = "".join(
        f'<span><i class="split-{split}" aria-hidden="true"></i>{SPLITS[split]} '
        f'<b class="num">{m.number(card.splits[split])}</b></span>'
        for split in known
    )
    return (
        f'<div class="splits"><div class="split-bar" aria-hidden="true">{bar}</div>'
        f'<div class="legend">{words}</div></div>'
    )


def _classes(card: DatasetCard, limit: int) -> str:
    if not card.classes:
        return '<p class="muted">No labels.</p>'
    most = max([*card.class_counts, 1])
    order = sorted(range(len(card.classes)), key=lambda i: -card.class_counts[i])
    rows = "".join(
        f'<li><span class="class-name" title="{m.text(card.classes[i])}">'
        f'{m.text(card.classes[i])}</span><i style="width:{100 * card.class_counts[i] / most:.1f}%"'
        f' aria-hidden="true"></i><b class="num">{m.number(card.class_counts[i])}</b></li>'
        for i in order[:limit]
    )
    rest = len(order) - limit
    more = (
        f'<p class="muted">and {m.plural(rest, "more class", "more classes")}</p>'
        if rest > 0
        else ""
    )
    none = f'<p class="muted">{m.plural(card.unlabeled, "image")} without a label</p>'
    return f'<ul class="classes">{rows}</ul>{more}{none if card.unlabeled else ""}'


def _refused(card: DatasetCard) -> str:
    count = int(card.report.get("refused_count", 0))
    if not count:
        return ""
    address = m.text(link("/", dataset=card.id, view="report"))
    words = m.plural(count, "file was", "files were")
    return f'<p class="notice notice-warn"><a href="{address}" data-go>{words} refused</a></p>'


def attribution(card: DatasetCard) -> str:
    return f'<p class="attribution">{m.text(card.attribution)}</p>' if card.attribution else ""
