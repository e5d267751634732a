"""The Select page: a selection with its map and gallery, or two selections side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vecaf.selection.explain import Overlap
from vecaf.store import SELECTION, Sample, Task
from vecaf.store.subsets import SubsetSummary
from vecaf.tasks.select_images import SelectionExplanation
from vecaf.wording import plural

from ..shell.address import link, whole
from ..shell.templates import macros
from . import reasons
from .state import PageState, gallery_limit, task_name

Ready = tuple[Task, SelectionExplanation]


@dataclass(frozen=True)
class MapView:
    """The map's address and layout, with the groups of its legend: (mark, words).

    `method` is None while there is no map.
    """

    source: str
    method: str | None
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """Images of a comparison that have the same `mark`: in both selections or in one of them."""

    mark: str
    title: str
    count: int
    images: list[Sample]


def needed(selected: SelectionExplanation, values: Mapping[str, str]) -> set[int]:
    """Return the ids of the images that the page shows of a selection."""
    wanted = set(selected.ids[: gallery_limit(values)])
    if not selected.ids:
        return wanted
    image = whole(dict(values), "image")
    at = selected.ids.index(image) if image in selected.ids else 0
    alternative = selected.displaced[at]
    wanted |= {selected.ids[at], *selected.members[at]}
    return wanted if alternative is None else wanted | {alternative}


def selection(state: PageState, task: Task, selected: SelectionExplanation) -> Markup:
    """Return one selection: its name and exports, the map, the reasons, the gallery."""
    asked, used = task.params.get("strategy"), task.result.get("strategy")
    html: Markup = macros("select").selection(
        state=state,
        task=task,
        name=task_name(task),
        save_name=_save_name(task, len(selected.ids)),
        count=len(selected.ids),
        pool_size=task.result.get("pool", 0),
        unlabeled=task.result.get("unlabeled", 0),
        earlier=len(selected.earlier),
        captions_unused=selected.captions is None and bool(task.params.get("text_pull")),
        replaced=(asked, used) if used and used != asked else None,
        map=_map(state, task, None, earlier=bool(selected.earlier)),
        reasons=reasons.panel(state, task, selected),
        images=_images(state, selected.ids),
    )
    return html


def comparison(state: PageState, first: Ready, second: Ready) -> Markup:
    """Return two selections: how much they overlap, and the images in both or in one."""
    (one, a), (two, b) = first, second
    overlap = Overlap.of(a.ids, b.ids)
    groups = [
        Group(mark, title, len(ids), _images(state, ids))
        for mark, title, ids in (
            ("both", "In both", overlap.both),
            ("one", f"Only in A: {task_name(one)}", overlap.first),
            ("two", f"Only in B: {task_name(two)}", overlap.second),
        )
    ]
    html: Markup = macros("select").comparison(
        state=state,
        tasks=[("one", "A", one, task_name(one)), ("two", "B", two, task_name(two))],
        overlap=overlap,
        map=_map(state, one, two, earlier=bool(a.earlier)),
        groups=groups,
    )
    return html


def saved(pool_id: int, subsets: Sequence[SubsetSummary]) -> Markup:
    """Return the list of saved selections with how many of their images are labeled."""
    lines = [line for line in subsets if line.kind == SELECTION]
    html: Markup = macros("select").saved(pool_id, lines)
    return html


def _save_name(task: Task, count: int) -> str:
    params = task.params
    name = f"{params.get('strategy')}, {plural(count, 'image')}, seed {params.get('seed')}"
    return f"{name}, after run {params['run']}" if params.get("run") else name


def _map(state: PageState, task: Task, other: Task | None, *, earlier: bool) -> MapView:
    legend = [("one", "selected"), ("covered", "represented by the highlighted image")]
    if other:
        legend = [("one", "only in A"), ("two", "only in B"), ("both", "in both")]
    if earlier:
        legend.append(("earlier", "labeled or selected earlier"))
    return MapView(
        source=link(f"/select/{task.id}/map", against=other.id if other else None),
        method=next((name for name in ("umap", "pca") if name in state.map.ready), None),
        legend=legend,
    )


def _images(state: PageState, ids: Sequence[int]) -> list[Sample]:
    return [state.samples[i] for i in ids if i in state.samples][: state.limit]
