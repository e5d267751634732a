"""The other views of one dataset: its classes, how its import went, one image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from app.data.dataset_history import story
from app.data.dataset_view import Detail, caption_field, label_field
from app.shell import markup as m
from app.shell.address import link
from app.shell.media import image_url
from app.shell.uploads import OURS
from app.shell.words import SPLITS
from vecaf.datasets.import_report import ImportReport, Refusal
from vecaf.store.page_queries import DatasetCard

_FILES = 60  # refused files that one reason lists with their pictures


def classes(one: Detail) -> str:
    """Every class with its images, to be renamed; and a field for another one."""
    card = one.card
    most = max([*card.class_counts, 1])
    rows = "".join(
        f'<li data-key="class-{i}"><input type="text" maxlength="500" value="{m.text(name)}" '
        f'data-stored="{m.text(name)}" data-change="rename-class" data-number="{i}" '
        f'aria-label="Name of the class {m.text(name)}">'
        f'<i style="width:{100 * count / most:.1f}%" aria-hidden="true"></i>'
        f'<a class="num" href="{m.text(link("/", dataset=card.id, label=i))}" data-go>'
        f"{m.plural(count, 'image')}</a></li>"
        for i, (name, count) in enumerate(zip(card.classes, card.class_counts, strict=True))
    )
    none = (
        f'<p><a href="{m.text(link("/", dataset=card.id, label="none"))}" data-go>'
        f"{m.plural(card.unlabeled, 'image')} without a label</a></p>"
        if card.unlabeled
        else ""
    )
    return (
        f'<section class="card"><h3>Classes</h3><p class="muted">A class may be renamed at any '
        "time; its images keep it. Runs that have begun keep the names they began with.</p>"
        f'<ul class="class-list">{rows}</ul>{none}'
        '<form class="add-class" data-act="add-class"><input type="text" name="name" '
        f'data-key="add-{len(card.classes)}" maxlength="500" required autocomplete="off" '
        'placeholder="Another class" aria-label="Name of a new class">'
        '<button type="submit">Add class</button></form></section>'
    )


def report(one: Detail) -> str:
    """What the import did: counts, cautions, and the refused files by reason."""
    card = one.card
    told = ImportReport.from_dict(card.report)
    lines = "".join(f"<p>{m.text(line)}</p>" for line in told.sentences())
    hidden = told.refused_count - len(told.refused)
    more = f"<p>… and {m.number(hidden)} more.</p>" if hidden > 0 else ""
    return (
        f'<section class="card"><h3>Import report</h3>{lines}{refused(card.id, told.refused)}'
        f"{more}{_source(card)}</section>"
    )


def refused(dataset_id: int, files: Sequence[Refusal]) -> str:
    """Refused files, grouped by reason, the most common one first, with a picture where it can be
    shown safely."""

    def kind(file: Refusal) -> str:
        return re.sub(r"[\d,.×]+|'[^']*'", "", file.reason)

    groups = [list(group) for _, group in groupby(sorted(files, key=kind), key=kind)]
    return "".join(
        _group(dataset_id, group) for group in sorted(groups, key=lambda group: -len(group))
    )


def _group(dataset_id: int, group: Sequence[Refusal]) -> str:
    same = len({file.reason for file in group}) == 1
    reason = group[0].reason[:1].upper() + group[0].reason[1:]
    rows = "".join(_refused(dataset_id, file, not same) for file in group[:_FILES])
    rest = len(group) - _FILES
    more = f'<p class="muted">and {m.plural(rest, "more file")}</p>' if rest > 0 else ""
    return (
        f'<details class="refused" open><summary><b>{m.plural(len(group), "file")}</b> '
        f"{m.text(reason)}{'' if same else ' (and the like)'}</summary>"
        f'<ul class="refused-list">{rows}</ul>{more}</details>'
    )


def _refused(dataset_id: int, file: Refusal, with_reason: bool) -> str:
    picture = (
        f'<img src="/dataset/{dataset_id}/refused/{m.text(file.thumb)}.jpg" alt="" loading="lazy">'
        if file.thumb
        else '<span class="refused-none" aria-hidden="true">?</span>'
    )
    reason = f'<small class="muted">{m.text(file.reason)}</small>' if with_reason else ""
    return f"<li>{picture}<span><span>{m.text(file.file)}</span>{reason}</span></li>"


def _source(card: DatasetCard) -> str:
    """Where it came from, unless that is the random name of an upload, which tells nobody."""
    if OURS.fullmatch(card.source):
        return ""
    return f'<p class="muted">From {m.text(card.source)}</p>'


def image(one: Detail) -> str:
    """One image large, with what is known of it and what was changed."""
    sample = one.image
    if sample is None:
        return m.empty(
            "There is no such image", f'<a href="{one.address()}" data-go>See all images</a>.'
        )
    label = "" if sample.label is None else one.card.classes[sample.label]
    pool = "Put back into the pool" if sample.excluded else "Exclude from the pool"
    button = (
        f'<button type="button" class="quiet" data-act="excluded" data-sample="{sample.id}" '
        f'data-value="{"no" if sample.excluded else "yes"}">{pool}</button>'
    )
    names = "".join(f'<option value="{m.text(name)}">' for name in one.card.classes)
    facts = m.facts(
        (
            ("File", m.text(sample.file_name)),
            ("Size", f"{sample.width} × {sample.height} px"),
            ("Split", SPLITS[sample.split]),
            ("Excluded from the pool", "yes" if sample.excluded else "no"),
        )
    )
    return (
        f'<section class="card one-image" data-key="one-{sample.id}">'
        f'<p><a href="{one.address()}" data-go>← All images</a></p><div class="pair">'
        f'<img src="{image_url(sample.id, sample.sha256)}" '
        f'alt="{m.text(label or sample.file_name)}">'
        f'<div class="one-facts"><datalist id="class-names">{names}</datalist>'
        f"<label>Label {label_field(one.card.classes, sample, label)}</label>"
        f"<label>Caption {caption_field(sample)}</label>{facts}{button}"
        f"{story(sample, one.history)}</div></div></section>"
    )
