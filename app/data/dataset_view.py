"""One dataset's HTML, from plain records: its head, tabs, and the list of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.data import sharing_view
from app.data.dataset_acts import PICK
from app.data.dataset_history import changed
from app.data.view import attribution, split_bar
from app.shell import markup as m
from app.shell.address import link
from app.shell.next_step_view import next_step_link
from app.shell.words import SPLITS
from vecaf.store import Sample
from vecaf.store.datasets import ActiveJob
from vecaf.store.gallery import UNLABELED, Change, Filter, ImageChange
from vecaf.store.page_queries import DatasetCard

PAGE = 24  # images on one page: each has two fields
SELECTABLE = 40  # classes up to which a label is chosen from a list; beyond, it is typed
TABS = {"images": "Images", "classes": "Classes", "report": "Import report", "history": "History"}
SHARING = "sharing"  # a tab where there are accounts
EVERYTHING = Filter()
ROOMS = (("Explore", "/explore"), ("Select", "/select"), ("Label", "/label"), ("Shift", "/shift"))


@dataclass(frozen=True)
class Detail:
    """Everything that the page of one dataset shows."""

    card: DatasetCard
    revision: int
    busy: Sequence[ActiveJob]
    last: Change | None
    tab: str = "images"
    values: dict[str, str] = field(default_factory=dict)  # the filter as the address has it
    which: Filter = EVERYTHING
    matching: int = 0
    number: int = 1  # of the page, from 1; `part` in the address, for Gradio claims `page`
    images: Sequence[Sample] = ()
    changes: Sequence[Change] = ()
    image: Sample | None = None
    history: Sequence[ImageChange] = ()
    owner: str = ""  # who shares it with whoever is looking; "" where it is their own
    shares: Sequence[str] | None = None  # with whom it is shared; None where that is not asked

    def address(self, **values: object) -> str:
        """Another view of this dataset: the filter stays, what is given replaces it."""
        kept = {key: self.values.get(key) or None for key in ("words", "split", "label", "pool")}
        return m.text(link("/", **{"dataset": self.card.id, **kept, **values}))


def head(one: Detail) -> str:
    """The name, where to go with it, what is being done with it, and the tabs."""
    card = one.card
    rooms = "".join(
        f'<a class="button quiet" href="{m.text(link(path, dataset=card.id))}">{name}</a>'
        for name, path in ROOMS
        if one.owner or name.lower() != card.next.kind  # the main button leads there
    )
    tabs = "".join(
        f'<a href="{m.text(link("/", dataset=card.id, view=key if key != "images" else None))}" '
        f"data-go{' aria-current=page' if key == one.tab else ''}>{name}</a>"
        for key, name in tabs_of(one).items()
    )
    export = "".join(
        f'<a class="button quiet" href="/dataset/{card.id}/export.zip?format={kind}" download '
        f'title="Images by split and class, with {file}">{words}</a>'
        for kind, file, words in (
            ("csv", "metadata.csv", "Export (CSV)"),
            ("jsonl", "metadata.jsonl", "Export (JSONL)"),
        )
    )
    following, deleting, whose = "", "", sharing_view.whose(one.owner) if one.owner else ""
    if not one.owner:
        following = next_step_link(card.id, card.next)
        deleting = (
            '<button type="button" class="quiet danger" data-act="delete" data-yes="Delete it" '
            f'data-sure-from="/dataset/{card.id}/deletion">Delete…</button>'
        )
    return (
        f'<p><a href="/" data-go>← All data</a></p>'
        f'<div class="card-head"><h2>{m.text(card.name)}</h2>'
        f'<span class="muted num">{m.plural(card.size, "image")} · added {m.when(card.created_at)}'
        f'</span></div>{whose}<div class="data-rooms">{following}{rooms}'
        f'<span class="grow"></span>{export}{deleting}</div>'
        f"{split_bar(card)}{attribution(card)}"
        f"{''.join(map(_busy, one.busy))}{_last(one.last)}"
        f'<nav class="tabs" aria-label="Views of the dataset">{tabs}</nav>'
    )


def tabs_of(one: Detail) -> dict[str, str]:
    """Key → title of the dataset's views."""
    return TABS if one.shares is None else {**TABS, SHARING: "Sharing"}


def _busy(job: ActiveJob) -> str:
    words = "Canceling" if job.cancel_requested else job.stage or job.state
    button = (
        ""
        if job.cancel_requested
        else f'<button type="button" class="quiet" data-act="cancel-{m.text(job.kind)}" '
        f'data-job="{job.id}">Cancel</button>'
    )
    return (
        f'<div class="data-busy" data-key="busy-{job.kind}-{job.id}">{m.chip(job.state)}'
        f"<b>{m.text(job.kind.capitalize())} {job.id}</b><span>{m.text(job.name)}</span>"
        f'<span class="muted grow">{m.text(words)}</span>{button}</div>'
    )


def _last(change: Change | None) -> str:
    if change is None or change.undone:
        return ""
    return (
        f'<div class="data-last" data-key="last-{change.id}" role="status"><span class="grow">'
        f'{m.text(changed(change))} <span class="muted">{m.when(change.at)}, '
        f"{m.text(change.by)}</span></span>"
        f'<button type="button" class="quiet" data-act="undo" data-edit="{change.id}">Undo</button>'
        "</div>"
    )


def images(one: Detail) -> str:
    """The filter, what can be done with many images, and a page of them."""
    return f'<section class="card" data-key="images">{_filter(one)}{_list(one)}</section>'


def _filter(one: Detail) -> str:
    which = one.which
    label = "none" if which.label == UNLABELED else str(which.label)
    classes = [("", "Any label"), ("none", "No label")]
    classes += [(str(i), name) for i, name in enumerate(one.card.classes)]
    splits = [("", "Any split"), *SPLITS.items()]
    pool = [("", "In the pool or not"), ("in", "Not excluded"), ("out", "Excluded")]
    chosen_pool = {None: "", False: "in", True: "out"}[which.excluded]
    return (
        f'<form class="filter" role="search" aria-label="Which images">'
        f'<input type="hidden" name="dataset" value="{one.card.id}">'
        f'<input type="search" name="words" value="{m.text(which.words)}" maxlength="200" '
        f'data-stored="{m.text(which.words)}" placeholder="Words of caption or file name" '
        'aria-label="Words of caption or file name">'
        f"{_select('split', 'Split', splits, which.split or '')}"
        f"{_select('label', 'Label', classes, '' if which.label is None else label)}"
        f"{_select('pool', 'In the pool', pool, chosen_pool)}"
        '<button type="submit" class="quiet">Show</button></form>'
    )


def _select(name: str, words: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
    return (
        f'<select name="{name}" aria-label="{words}" data-stored="{m.text(chosen)}">'
        f"{_options(options, chosen)}</select>"
    )


def _options(options: Sequence[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f'<option value="{m.text(value)}"{" selected" if value == chosen else ""}>'
        f"{m.text(words)}</option>"
        for value, words in options
    )


def _list(one: Detail) -> str:
    if not one.matching:
        everything = m.text(link("/", dataset=one.card.id))
        hint = f'<a href="{everything}" data-go>Show all of them</a>.'
        return m.empty("No image matches", hint)
    cards = "".join(_image(one, sample) for sample in one.images)
    names = "".join(f'<option value="{m.text(name)}">' for name in one.card.classes)
    return (
        f'<form class="images" data-act="bulk" data-revision="{one.revision}">{_bulk(one)}'
        f'<datalist id="class-names">{names}</datalist>'
        f'<ul class="image-list">{cards}</ul></form>{_pages(one)}'
    )


def _bulk(one: Detail) -> str:
    scope = (
        ("picked", "the chosen images"),
        ("matching", f"all {m.number(one.matching)} that match"),
    )
    classes = [("", "No label"), *((name, name) for name in one.card.classes)]
    return (
        '<div class="bulk"><label class="bulk-all"><input type="checkbox" data-all> '
        '<span data-chosen aria-live="polite">None chosen</span></label>'
        '<label class="bulk-scope">Change <select name="scope" aria-label="Which images to change">'
        f'{_options(scope, "picked")}</select></label><fieldset class="bulk-do"><legend>Change them'
        "</legend>"
        f'<span class="bulk-pair"><select name="bulk-label" aria-label="Label for them">'
        f"{_options(classes, '')}</select>"
        '<button type="submit" name="do" value="label">Set label</button></span>'
        '<span class="bulk-pair"><input type="text" name="bulk-caption" maxlength="2000" '
        'placeholder="a photo of a {class}" aria-label="Caption for them; {class}, {file} and '
        '{caption} are filled in"><button type="submit" name="do" value="caption">Set caption'
        '</button></span><button type="submit" name="do" value="exclude">Exclude</button>'
        '<button type="submit" name="do" value="include">Put back</button></fieldset></div>'
    )


def _image(one: Detail, sample: Sample) -> str:
    label = "" if sample.label is None else one.card.classes[sample.label]
    name = m.text(sample.file_name)
    words = [label or sample.file_name, *([sample.caption] if sample.caption else [])]
    words.append(f"{sample.file_name} · {sample.width} × {sample.height} px")
    facts = f"{SPLITS[sample.split]}{' · excluded' if sample.excluded else ''}"
    return (
        f'<li class="image{" excluded" if sample.excluded else ""}" data-key="image-{sample.id}">'
        f'<input type="checkbox" name="{PICK}{sample.id}" aria-label="Choose {name}">'
        f"{m.thumb(sample.id, sample.sha256, words)}"
        f'<div class="image-fields">{label_field(one.card.classes, sample, label)}'
        f'{caption_field(sample)}<small class="muted"><span title="{name}">{name}</span>'
        f'<span>{facts} · <a href="{one.address(image=sample.id)}" data-go>History</a></span>'
        "</small></div></li>"
    )


def label_field(classes: Sequence[str], sample: Sample, label: str) -> str:
    """A list of the classes where they are few, else a field that completes what is typed."""
    name = f'aria-label="Label of {m.text(sample.file_name)}" data-stored="{m.text(label)}"'
    shared = f'data-change="label" data-sample="{sample.id}" {name}'
    if len(classes) > SELECTABLE:
        return (
            f'<input type="text" list="class-names" placeholder="No label" autocomplete="off" '
            f'value="{m.text(label)}" {shared}>'
        )
    options = [("", "No label"), *((one, one) for one in classes)]
    return f"<select {shared}>{_options(options, label)}</select>"


def caption_field(sample: Sample) -> str:
    caption = m.text(sample.caption or "")
    return (
        f'<input type="text" maxlength="2000" placeholder="No caption" value="{caption}" '
        f'data-change="caption" data-sample="{sample.id}" data-stored="{caption}" '
        f'aria-label="Caption of {m.text(sample.file_name)}" title="{caption}">'
    )


def _pages(one: Detail) -> str:
    last = max(1, -(-one.matching // PAGE))
    if last == 1:
        return f'<p class="muted num">{m.plural(one.matching, "image")}</p>'

    def to(number: int, words: str) -> str:
        if not 1 <= number <= last or number == one.number:
            return f'<span class="button quiet" aria-disabled="true">{words}</span>'
        return f'<a class="button quiet" href="{one.address(part=number)}" data-go>{words}</a>'

    first = (one.number - 1) * PAGE + 1
    here = f"{m.number(first)}–{m.number(min(first + PAGE - 1, one.matching))}"
    return (
        f'<nav class="pages" aria-label="Pages">{to(1, "First")}{to(one.number - 1, "Previous")}'
        f'<span class="num">{here} of {m.number(one.matching)}</span>'
        f"{to(one.number + 1, 'Next')}{to(last, 'Last')}</nav>"
    )
