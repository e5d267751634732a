"""The Select page as HTML: the form, the picks and the map. Why a pick is there: `select_why`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.select import reasons as select_why
from app.select.form import PoolFacts
from app.select.shown import Shown
from app.shell import markup as m
from app.shell.address import link, whole
from app.shell.media import thumb_url
from vecaf.selection.explain import Overlap
from vecaf.store import CANCELED, FAILED, QUEUED, Sample, Task
from vecaf.tasks.select_images import Explained

TITLE = (
    '<div class="title" id="main"><h1>Select</h1><p>Which images are worth a label under your '
    "budget, and why. Nothing is trained.</p></div>"
)
PICKS = 120  # thumbnails shown at first, and added by "more"
Ready = tuple[Task, Explained]


def needed(picks: Explained, values: Mapping[str, str]) -> set[int]:
    """Ids of the images that the page shows of a selection."""
    limit = _limit(values)
    chosen = whole(dict(values), "pick")
    wanted = set(picks.ids[:limit])
    if chosen is None and picks.ids:
        chosen = picks.ids[0]
    if chosen in picks.ids:
        at = picks.ids.index(chosen)
        wanted |= {picks.ids[at], *picks.members[at]}
        wanted |= {i for i in (picks.displaced[at],) if i is not None}
    return wanted


def head(choices: Sequence[tuple[int, str]], pool: PoolFacts) -> str:
    return f'<div class="card-head">{TITLE}<span class="grow"></span>' + (
        m.dataset_picker("/select", choices, pool.id) + "</div>"
    )


def missing(sentence: str) -> str:
    return TITLE + m.empty(
        sentence, 'It may have been removed. <a href="/select" data-go>Select</a>.'
    )


def start(pool: PoolFacts) -> str:
    """What to do first."""
    words = (
        f"{m.plural(pool.size, 'image')} may be selected, {m.number(pool.labeled)} of them have a "
        "label."
    )
    return m.empty("Choose a budget and press Select", words)


def going_on(task: Task) -> str:
    """A selection that is under way, or how it ended."""
    name = m.text(describe_task(task))
    if task.state == FAILED:
        return (
            f'<section class="card"><h3>{name}</h3>{m.notice(task.error or "It failed.")}</section>'
        )
    if task.state == CANCELED:
        return f'<section class="card"><h3>{name}</h3>{m.notice("Canceled.", "quiet")}</section>'
    words = task.stage or ("Waiting for its turn" if task.state == QUEUED else "Starting")
    return (
        f'<section class="card" data-key="going-{task.id}"><div class="card-head"><h3>{name}</h3>'
        f'<span class="grow"></span><button type="button" data-act="cancel" data-task="{task.id}">'
        "Cancel</button></div>"
        f"{m.progress(f'task-{task.id}-{task.stage}', words, task.done, task.total)}</section>"
    )


def describe_task(task: Task) -> str:
    """'vecaf, 70, seed 0, based on run 3'"""
    p = task.params
    parts = [str(p.get("strategy")), str(p.get("budget")), f"seed {p.get('seed')}"]
    parts.append(f"text pull {p.get('text_pull'):g}")
    if p.get("run"):
        parts.append(f"based on run {p['run']}")
    return ", ".join(parts)


def selection(shown: Shown, task: Task, picks: Explained) -> str:
    """One selection: its name and exports, the map, why, the gallery."""
    count = len(picks.ids)
    new = task.result.get("unlabeled", 0)
    words = (
        f"{m.plural(count, 'image')} of {m.number(task.result.get('pool', 0))}; "
        f"{m.number(new)} without a label."
        + (
            f" {m.plural(len(picks.taken), 'image')} labelled or picked before."
            if picks.taken
            else ""
        )
    )
    silent = (
        m.notice(
            "Text had no say: there are no captions, and no classes yet to name images by.", "quiet"
        )
        if picks.captions is None and task.params.get("text_pull")
        else ""
    )
    asked, did = task.params.get("strategy"), task.result.get("strategy")
    if did and did != asked:
        silent += m.notice(
            f"{asked} needs a trained model, so {did} picked, as in the first round of a run. "
            "Choose a run under “Based on” to use it.",
            "quiet",
        )
    return (
        f'<section class="card" data-key="selection-{task.id}"><div class="card-head">'
        f"<h2>{m.text(describe_task(task))}</h2></div>"
        f'<p class="muted">{words}</p>{silent}{_sign_off(shown.pool, task, picks)}'
        f'<p class="exports"><span>Or take the picks along:</span>{_downloads(task.id)}</p>'
        "</section>"
        f'<div class="pair select-pair">{_map(shown, task, None, taken=bool(picks.taken))}'
        f"{select_why.panel(shown, task, picks)}</div>"
        f'<section class="card" data-key="picks"><h3>Picks, in rank order</h3>'
        f"{_wall(shown, picks.ids, 'one')}{_more(shown, count)}</section>"
    )


def comparison(shown: Shown, first: Ready, second: Ready) -> str:
    """Two selections: how far they agree, and which images are in both or in one only."""
    (one, a), (other, b) = first, second
    overlap = Overlap.of(a.ids, b.ids)
    facts = m.facts(
        (
            ("In both", m.number(len(overlap.both))),
            ("Only in the first", m.number(len(overlap.first))),
            ("Only in the second", m.number(len(overlap.second))),
            ("Overlap (Jaccard index)", f"{overlap.jaccard:.2f}"),
        )
    )
    groups = (
        ("both", "In both", overlap.both),
        ("one", f"Only in the first: {describe_task(one)}", overlap.first),
        ("two", f"Only in the second: {describe_task(other)}", overlap.second),
    )
    walls = "".join(
        f'<section class="card" data-key="wall-{mark}"><h3><i class="mark mark-{mark}"></i>'
        f'{m.text(title)} <span class="muted num">{m.number(len(ids))}</span></h3>'
        f"{_wall(shown, ids, mark) if ids else '<p class=muted>None.</p>'}</section>"
        for mark, title, ids in groups
    )
    alone = (
        f'<a class="button quiet" data-go href="{m.text(shown.address(task=t.id, against=None))}">'
        f"{name} alone</a>"
        for t, name in ((one, "First"), (other, "Second"))
    )
    return (
        f'<section class="card" data-key="overlap"><div class="card-head"><h2>Side by side</h2>'
        f'<span class="grow"></span>{"".join(alone)}</div>'
        f'<p><i class="mark mark-one"></i> <b>First</b> {m.text(describe_task(one))}<br>'
        f'<i class="mark mark-two"></i> <b>Second</b> {m.text(describe_task(other))}</p>{facts}'
        f"</section>{_map(shown, one, other, taken=bool(a.taken))}{walls}"
    )


def _sign_off(pool: PoolFacts, task: Task, picks: Explained) -> str:
    count = len(picks.ids)
    name = f"{task.params.get('strategy')} {count}, seed {task.params.get('seed')}"
    if task.params.get("run"):
        name += f", after run {task.params['run']}"
    earlier = (
        '<label class="check"><input type="checkbox" name="earlier" checked> with the '
        f"{m.number(len(picks.taken))} earlier ones, so that a run trains on all</label>"
        if picks.taken
        else ""
    )
    leads = "and label them" if task.result.get("unlabeled") else "and finetune"
    return (
        f'<form class="sign-off" data-act="sign-off" data-task="{task.id}" '
        f'data-dataset="{pool.id}"><label class="field"><span>Name</span><input name="name" '
        f'value="{m.text(name)}" maxlength="200" required></label>{earlier}'
        f'<button type="submit" class="primary">Sign off {leads}</button></form>'
    )


def _downloads(task_id: int) -> str:
    forms = (
        ("ids.csv", "CSV"),
        ("ids.json", "JSON"),
        ("imagefolder.zip", "images with metadata.csv (imagefolder)"),
    )
    return "".join(
        f'<a href="/download/selection/{task_id}/{form}" download>{name}</a>'
        for form, name in forms
    )


def _map(shown: Shown, task: Task, other: Task | None, *, taken: bool) -> str:
    ready = [name for name in ("umap", "pca") if name in shown.lay.ready]
    if ready:
        source = link(f"/select/{task.id}/map", against=other.id if other else None)
        marks: tuple[tuple[str, str], ...] = (
            (("one", "first only"), ("two", "second only"), ("both", "both"))
            if other
            else (("one", "picked"), ("covered", "what the shown pick stands for"))
        )
        if taken:
            marks += (("taken", "labelled or picked before"),)
        legend = "".join(f'<span><i class="mark mark-{c}"></i>{w}</span>' for c, w in marks)
        inner = (
            f'<div class="select-map" data-own data-key="canvas" data-method="{ready[0]}" '
            f'data-select-map="{m.text(source)}"><canvas role="img" aria-label="Map of the images; '
            'picks are marked. The same picks are in the gallery below."></canvas></div>'
            f'<p class="legend">{legend}</p>'
        )
    elif shown.lay.state in ("none", FAILED, CANCELED):
        error = m.notice(shown.lay.error) if shown.lay.error else ""
        inner = (
            f'{error}<p class="muted">There is no map of this dataset yet.</p><p><button '
            f'type="button" data-act="map" data-dataset="{shown.pool.id}">Draw the map</button></p>'
        )
    else:
        lay = shown.lay
        inner = m.progress(
            f"map-{lay.task}-{lay.stage}",
            lay.stage or "The map is next in line",
            lay.done,
            lay.total,
        )
    return f'<section class="card" data-key="map"><h3>Where the picks lie</h3>{inner}</section>'


def _wall(shown: Shown, ids: Sequence[int], mark: str) -> str:
    chosen = whole(dict(shown.values), "pick")
    found = [shown.samples[i] for i in ids if i in shown.samples][: _limit(shown.values)]
    return f'<div class="wall picks-wall" data-key="wall-{mark}">' + (
        "".join(_pick(shown, sample, sample.id == chosen, mark) for sample in found) + "</div>"
    )


def _pick(shown: Shown, sample: Sample, chosen: bool, mark: str) -> str:
    name = "no label" if sample.label is None else shown.pool.classes[sample.label]
    current = ' aria-current="true"' if chosen else ""
    said = m.text(f"{name}, {sample.file_name}")
    return (
        f'<a class="pick pick-{mark}" data-key="{sample.id}" data-pick="{sample.id}"{current} '
        f'href="{m.text(shown.address(pick=sample.id))}" title="{m.text(name)}">'
        f'<img src="{thumb_url(sample.id, sample.sha256)}" alt="{said}" '
        'loading="lazy" decoding="async"></a>'
    )


def _more(shown: Shown, count: int) -> str:
    left = count - _limit(shown.values)
    if left <= 0:
        return ""
    address = shown.address(show=_limit(shown.values) + 4 * PICKS)
    return (
        f'<p><a class="button quiet" href="{m.text(address)}" data-stay>Show more '
        f"({m.number(left)} left)</a></p>"
    )


def _limit(values: Mapping[str, str]) -> int:
    return min(max(PICKS, whole(dict(values), "show") or 0), 6000)
