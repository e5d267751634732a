"""The Shift page: describe a target domain, preview its shift, train and compare runs."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar
from markupsafe import Markup
from sqlalchemy.orm import Session

from vecaf.errors import InputError, NotFoundError, VecafError
from vecaf.evaluation.corruptions.matching import NAMES, matching_corruption
from vecaf.store import ENDED, Dataset, Run, visible
from vecaf.store.page_queries import dataset_choices, pool_pictures
from vecaf.store.run_pairs import RunPair, compatible_datasets, find_run_pairs
from vecaf.store.samples import samples_by_id
from vecaf.store.tasks import find_task, latest_task

from ..shell.address import QUERY_JS, link, parameters, query_input, whole
from ..shell.components.live import MOVING, NOTHING, QUIET, acknowledge, live
from ..shell.studio import Studio
from . import images as shift_images
from . import pairs as shift_pairs
from . import view as shift_view
from .launching import launch_pair

BUSY, IDLE = 1.5, 6.0  # seconds between refreshes
CORRUPTED = 3  # images shown with a corruption
NO_PAIR = "This pair of runs no longer exists. Reload the page."
THINGS = {  # of an action's ids
    "dataset": "The dataset",
    "images": "The target dataset",
    "on": "The second test dataset",
    "pair": "The pair of runs",
}

ShiftOutputs = tuple[str, str, str, gr.Timer]


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    target = gr.Textbox(visible=False)
    top, body, pairs = live("shift-top"), live("shift-body"), live("shift-pairs")
    timer = gr.Timer(BUSY)

    def show(address: str, request: gr.Request) -> ShiftOutputs:
        try:
            return _shown(studio, studio.user(request), parameters(address))
        except NotFoundError as error:
            return (
                str(shift_view.missing(str(error))),
                NOTHING,
                NOTHING,
                gr.Timer(IDLE, active=False),
            )

    def go(event: gr.EventData, request: gr.Request) -> ShiftOutputs:
        return show(event._data.get("query", ""), request)

    def act(event: gr.EventData, request: gr.Request) -> tuple[str, str, str, gr.Timer, str]:
        data, address = event._data, ""
        try:
            address = _act(studio, studio.user(request), data)
        except VecafError as error:
            gr.Warning(str(error), title="")
        return *show(address.partition("?")[2] or data.get("query", ""), request), address

    outputs = [top, body, pairs, timer]
    demo.load(show, query, outputs, js=QUERY_JS, **QUIET)
    timer.tick(show, query, outputs, js=QUERY_JS, **QUIET)
    for piece in (top, body, pairs):
        acknowledge(piece.act(act, None, [*outputs, target], **QUIET)).then(
            None, target, None, js="(address) => studio.showResult(address)"
        )
    top.go(go, None, outputs, **MOVING)


def _shown(studio: Studio, user: int, values: dict[str, str]) -> ShiftOutputs:
    """Return the pieces of the page for an address's parameters."""
    words = _words(values.get("words", ""))
    with studio.store.read() as session:
        datasets = dataset_choices(session, user)
        if not datasets:
            return str(shift_view.no_dataset()), NOTHING, NOTHING, gr.Timer(IDLE)
        base = _base(session, user, values)
        dataset_id = whole(values, "dataset") or (base.dataset_id if base else datasets[0][0])
        dataset = visible(session, user, Dataset, dataset_id)
        base = base if base is not None and base.dataset_id == dataset_id else None
        params = {"words": words, "revision": dataset.revision}
        task = find_task(session, user, dataset_id, "shift_preview", params) if words else None
        last = latest_task(session, user, dataset_id, "shift_preview")
        if task is None and last is not None and last.params == params:
            task = last  # it failed: show its error
        samples = samples_by_id(session, user, dataset_id, shift_view.shown_samples(task))
        corrupted = pool_pictures(session, user, dataset_id, CORRUPTED)
        pairs = find_run_pairs(session, user, dataset_id)
        pair = _selected(pairs, whole(values, "pair"), words, base)
        test_datasets = compatible_datasets(session, user, dataset_id)
        on = whole(values, "on") or 0
        on = on if on in dict(test_datasets) else 0
        matched = matching_corruption(words)
        corruption = values.get("corruption", "")
        corruption = corruption if corruption in NAMES else matched or "fog"
        compared = None
        if pair is not None:
            params = _comparison(session, user, dataset_id, pair, corruption, on)
            compared = find_task(session, user, dataset_id, "shift_result", params)
            last = latest_task(session, user, dataset_id, "shift_result")
            if compared is None and last is not None and last.params == params:
                compared = last
        idle = studio.idle(session)
        images = shift_images.form(session, user, dataset_id, base)
        importing = shift_images.is_busy(session, user)
    address = {
        "dataset": dataset_id,
        "run": base.id if base else None,
        "words": words or None,
        "pair": pair.shifted.id if pair else None,
        "on": on or None,
    }
    jobs = [task, compared, *((pair.plain, pair.shifted) if pair else ())]
    busy = importing or any(job is not None and job.state not in ENDED for job in jobs)
    preview = shift_view.preview(words, task, samples)
    strips = shift_view.strips(corrupted[:CORRUPTED], corruption, matched, address)
    # The form suggests the target dataset or, without a similar corruption, the newest other one.
    adapted_to = [id_ for id_, name in test_datasets if pair and pair.images in (name, str(id_))]
    newest = [id_ for id_, _ in test_datasets if matched is None]
    other = on or next(iter([*adapted_to, *newest]), 0)
    result = Markup()
    if pair:
        adapted = shift_images.outcome(studio.store, pair)
        result = shift_pairs.result(pair, compared, corruption, test_datasets, other, adapted)
    earlier = shift_pairs.earlier(pairs, address)
    return (
        str(shift_view.top(datasets, dataset_id, words, idle if busy else None, base) + images),
        str(preview + strips),
        str(shift_pairs.launch(dataset_id, words, base) + result + earlier) or NOTHING,
        gr.Timer(BUSY if busy else IDLE, active=True),
    )


def _act(studio: Studio, user: int, data: dict[str, str]) -> str:
    """Perform an action. Return the address that shows its result."""
    from vecaf.engine.queue import submit_task

    action, values = data.get("act"), parameters(data.get("query"))
    if action == "preview":
        dataset_id, words = _id(data, "dataset"), _words(data.get("words", ""))
        if not words:
            raise InputError("Enter a target domain, such as “in thick fog”.")
        with studio.store.read() as session:
            revision = visible(session, user, Dataset, dataset_id).revision
        params = {"words": words, "revision": revision}
        submit_task(studio.store, "shift_preview", dataset_id, params, user)
        return link("/shift", dataset=dataset_id, run=whole(values, "run"), words=words)
    if action in ("launch", "adapt"):
        return _launch(studio, user, data, action == "adapt")
    if action == "compare":
        pair_id, corruption, on = _id(data, "pair"), data.get("corruption", ""), _id(data, "on")
        with studio.store.read() as session:
            choices = dataset_choices(session, user)
            if not choices:  # the last dataset was deleted meanwhile
                raise NotFoundError(NO_PAIR)
            dataset_id = whole(values, "dataset") or choices[0][0]
            pair = _selected(find_run_pairs(session, user, dataset_id), pair_id, "", None)
        if pair is None or pair.shifted.id != pair_id or corruption not in NAMES:
            raise NotFoundError(NO_PAIR)
        with studio.store.read() as session:
            params = _comparison(session, user, dataset_id, pair, corruption, on)
        submit_task(studio.store, "shift_result", dataset_id, params, user)
        return link(
            "/shift", dataset=dataset_id, run=whole(values, "run"), words=pair.words, pair=pair_id,
            corruption=corruption, on=on or None,
        )  # fmt: skip
    return ""


def _launch(studio: Studio, user: int, data: dict[str, str], adapt: bool) -> str:
    """Queue a pair of runs for words or, with `adapt`, for images of the target domain."""
    dataset_id, words, chosen = _id(data, "dataset"), _words(data.get("words", "")), ""
    with studio.store.read() as session:
        base = _base(session, user, parameters(data.get("query")))
        if adapt:
            words, chosen = "", shift_images.setting(session, user, _id(data, "images"))
    base = base if base is not None and base.dataset_id == dataset_id else None
    pair = launch_pair(studio, user, dataset_id, base, data, words=words, images=chosen)
    run = base.id if base else None
    return link("/shift", dataset=dataset_id, run=run, words=words or None, pair=pair)


def _base(session: Session, user: int, values: dict[str, str]) -> Run | None:
    """Return the run that the page was opened from. Raises NotFoundError."""
    run_id = whole(values, "run")
    return None if run_id is None else visible(session, user, Run, run_id)


def _selected(
    pairs: list[RunPair], pair_id: int | None, words: str, base: Run | None
) -> RunPair | None:
    """Return the pair that the address names, else the newest with these words and `base`."""
    named = [pair for pair in pairs if pair.shifted.id == pair_id]
    same = [
        pair
        for pair in pairs
        if words
        and pair.words == words
        and (base is None or base.id in (pair.plain.id, pair.shifted.id))
    ]
    return next(iter(named or same), None)


def _comparison(
    session: Session, user: int, dataset_id: int, pair: RunPair, corruption: str, on: int
) -> dict[str, Any]:
    """Return a comparison's parameters. The revisions change when labels change."""
    return {
        "plain": pair.plain.id,
        "shifted": pair.shifted.id,
        "corruption": corruption,
        "on": on,
        "revision": visible(session, user, Dataset, dataset_id).revision,
        "on_revision": visible(session, user, Dataset, on).revision if on else 0,
    }


def _words(text: str) -> str:
    return " ".join(text.split())[:200]


def _id(data: dict[str, str], name: str) -> int:
    number = whole(data, name)
    if number is None:
        raise NotFoundError(f"{THINGS[name]} was not found. Reload the page.")
    return number
