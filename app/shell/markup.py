"""Small pieces of HTML that several pages share. Whatever comes from people is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from app.shell.media import image_url, thumb_url
from vecaf.store import CANCELED, FAILED, FINISHED, QUEUED, RUNNING
from vecaf.wording import plural as plural

MARKS = {QUEUED: "○", RUNNING: "◐", FINISHED: "●", FAILED: "✕", CANCELED: "◌"}


def text(value: object) -> str:
    """`value`, safe inside an element or a quoted attribute."""
    return escape(str(value), quote=True)


def number(value: int) -> str:
    return f"{value:,}"


def percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def chip(state: str) -> str:
    """A state with its mark and its word: never by colour alone."""
    return (
        f'<span class="chip chip-{text(state)}"><i aria-hidden="true">{MARKS.get(state, "")}</i>'
        f"{text(state)}</span>"
    )


def when(moment: datetime | None) -> str:
    """A moment; the page turns it into the reader's own time and 'x minutes ago'."""
    if moment is None:
        return "–"
    iso = moment.isoformat()
    return f'<time datetime="{iso}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def progress(key: str, label: str, done: int, total: int) -> str:
    """A progress bar with numbers; the page adds the time left from how fast `done` moves."""
    share = f' value="{done}" max="{total}"' if total else ""
    counts = f"{number(done)} of {number(total)}" if total else ""
    return (
        f'<div class="progress" data-eta="{text(key)}" data-done="{done}" data-total="{total}">'
        f'<div class="progress-words"><span>{text(label)}</span>'
        f'<span class="num">{counts}<span data-left></span></span></div>'
        f'<progress{share} aria-label="{text(label)}"></progress></div>'
    )


def thumb(sample_id: int, sha256: str, words: Sequence[str], extra: str = "") -> str:
    """A thumbnail that opens the image large; `words` are its lines, the first one its name."""
    return (
        f'<a class="thumb" data-key="{sample_id}" href="{image_url(sample_id, sha256)}" '
        f'data-words="{text(chr(10).join(words))}" title="{text(chr(10).join(words))}">'
        f'<img src="{thumb_url(sample_id, sha256)}" alt="{text(words[0])}" loading="lazy" '
        f'decoding="async">{extra}</a>'
    )


def notice(message: str, kind: str = "error") -> str:
    role = "alert" if kind == "error" else "status"
    return f'<p class="notice notice-{kind}" role="{role}">{text(message)}</p>'


def empty(title: str, hint: str) -> str:
    """An empty state: what is missing, and what to do next (`hint` is HTML)."""
    return f'<div class="empty"><h3>{text(title)}</h3><p>{hint}</p></div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Terms and values (`values` are HTML) as a definition list."""
    rows = "".join(f"<div><dt>{text(term)}</dt><dd>{value}</dd></div>" for term, value in pairs)
    return f'<dl class="facts">{rows}</dl>'


def command(line: str) -> str:
    """A command line that one click copies."""
    return (
        f'<div class="command"><code tabindex="0">{text(line)}</code>'
        f'<button type="button" class="quiet" data-copy="{text(line)}">Copy</button></div>'
    )


def dataset_picker(path: str, datasets: Sequence[tuple[int, str]], chosen: int) -> str:
    """A select that goes to `path?dataset=ID` (studio.js does the going); (id, name) choices."""
    options = "".join(
        f'<option value="{text(path)}?dataset={id_}"{" selected" if id_ == chosen else ""}>'
        f"{text(name)}</option>"
        for id_, name in datasets
    )
    return (
        f'<label class="dataset-picker"><span>Dataset</span><select data-jump>{options}</select>'
        "</label>"
    )
