"""The Select page: a selection with its map and gallery, or two selections side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vecaf.evaluation.error_guarantee import fewest_checked
from vecaf.runs.label_rest import CONFIDENCE
from vecaf.selection import STRATEGIES
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
class Side:
    """One of two selections that are compared."""

    mark: str
    letter: str
    task: Task
    name: str
    images: list[Sample]


@dataclass(frozen=True)
class Coverage:
    """How many labeled images of each class two selections have.

    `classes`: (name, in A, in B), the largest first. `most`: the largest number.
    """

    classes: list[tuple[str, int, int]]
    unlabeled: int

    @property
    def covered(self) -> tuple[int, int]:
        """How many classes each selection has images of."""
        return (
            sum(first > 0 for _, first, _ in self.classes),
            sum(second > 0 for _, _, second in self.classes),
        )

    @property
    def most(self) -> int:
        return max(max(first, second) for _, first, second in self.classes) or 1


def needed(selected: SelectionExplanation, values: Mapping[str, str], *, every: bool) -> set[int]:
    """Return the ids of the images that the page shows of a selection, or counts (`every`)."""
    wanted = set(selected.ids if every else selected.ids[: gallery_limit(values)])
    if not selected.ids:
        return wanted
    image = whole(dict(values), "image")
    at = selected.ids.index(image) if image in selected.ids else 0
    alternative = selected.displaced[at]
    wanted |= {selected.ids[at], *selected.members[at]}
    return wanted if alternative is None else wanted | {alternative}


def selection(state: PageState, task: Task, selected: SelectionExplanation) -> Markup:
    """Return one selection: its name and exports, the map, the reasons, the gallery."""
    html: Markup = macros("select").selection(
        state=state,
        task=task,
        name=task_name(task),
        save_name=_save_name(task, len(selected.ids)),
        count=len(selected.ids),
        pool_size=task.result.get("pool", 0),
        unlabeled=task.result.get("unlabeled", 0),
        earlier=len(selected.earlier),
        captions_unused=selected.captions is None and bool(task.params.get("caption_weight")),
        replaced=_replaced(task, selected),
        map=_map(state, task, None, earlier=bool(selected.earlier)),
        reasons=reasons.panel(state, task, selected),
        images=_images(state, selected.ids),
        tests=fewest_checked(0.1, 1 - CONFIDENCE, wrong=1),
        confidence=CONFIDENCE,
    )
    return html


def _replaced(task: Task, selected: SelectionExplanation) -> Markup | None:
    """Say why another strategy than the requested one selected; None if none did."""
    asked, used = str(task.params.get("strategy")), task.result.get("strategy")
    if not used or used == asked:
        return None
    needs_model = asked in STRATEGIES and STRATEGIES[asked].info.needs_model
    html: Markup = macros("select").replaced(asked, used, needs_model, selected.losses is not None)
    return html


def comparison(state: PageState, first: Ready, second: Ready) -> Markup:
    """Return two selections side by side: overlap, images, and classes that they cover."""
    (one, a), (two, b) = first, second
    overlap = Overlap.of(a.ids, b.ids)
    sides = [
        Side(mark, letter, task, task_name(task), _images(state, found.ids))
        for mark, letter, task, found in (("one", "A", one, a), ("two", "B", two, b))
    ]
    html: Markup = macros("select").comparison(
        state=state,
        sides=sides,
        overlap=overlap,
        map=_map(state, one, two, earlier=bool(a.earlier)),
        coverage=coverage(state, a.ids, b.ids),
    )
    return html


def coverage(state: PageState, first: Sequence[int], second: Sequence[int]) -> Coverage:
    """Count the labeled images of each class in two selections."""
    counts = [Counter(_labels(state, ids)) for ids in (first, second)]
    classes = [
        (name, counts[0][label], counts[1][label]) for label, name in enumerate(state.pool.classes)
    ]
    selected = {*first, *second}
    return Coverage(
        sorted(classes, key=lambda one: -one[1] - one[2]),
        len(selected) - len(_labels(state, selected)),
    )


def _labels(state: PageState, ids: Iterable[int]) -> list[int]:
    found = (state.samples[i].label for i in ids if i in state.samples)
    return [label for label in found if label is not None]


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
