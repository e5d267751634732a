"""The Label page: the list of labeling tasks, one task (labeler.js), and what follows it."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components.navbar import Navbar

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError, VecafError
from vecaf.evaluation.error_guarantee import fewest_checked
from vecaf.runs.label_rest import CONFIDENCE
from vecaf.store import EVALUATION, SELECTION, TEST, Dataset, Subset, visible
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.next_step import next_step
from vecaf.store.page_queries import dataset_choices
from vecaf.store.random_subsets import draw_random_selection, draw_test_sample
from vecaf.store.samples import count_pool, count_split
from vecaf.store.subsets import subsets_of

from ..shell.address import MOVE_JS, QUERY_JS, link, parameters, query_input, whole
from ..shell.components.live import MOVING, QUIET, acknowledge, live
from ..shell.studio import Studio
from ..shell.templates import macros

SECONDS = 10.0  # between refreshes; labeler.js refreshes at once after a change
FROM_SELECTION = ("model", "vlm", "image_size", "caption_weight", "seed")

LabelOutputs = tuple[str, str, str]


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    here = gr.Textbox(visible=False)  # address on this page to move to
    away = gr.Textbox(visible=False)  # address on another page to move to
    piece = live("label")
    timer = gr.Timer(SECONDS)

    def show(address: str, request: gr.Request) -> LabelOutputs:
        return _render(studio, studio.user(request), parameters(address)), "", ""

    def act(event: gr.EventData, request: gr.Request) -> LabelOutputs:
        data = event._data
        user, values = studio.user(request), parameters(data.get("query", ""))
        here_to = away_to = ""
        try:
            here_to, away_to = _act(studio, user, data)
        except VecafError as error:
            gr.Warning(str(error), title="")
        return _render(studio, user, values), here_to, away_to

    def go(event: gr.EventData, request: gr.Request) -> LabelOutputs:
        return show(event._data.get("query", ""), request)

    outputs = [piece, here, away]
    demo.load(show, query, outputs, js=QUERY_JS, **QUIET)
    timer.tick(show, query, outputs, js=QUERY_JS, **QUIET)
    acknowledge(piece.act(act, None, outputs, **QUIET)).then(None, [here, away], None, js=MOVE_JS)
    piece.go(go, None, outputs, **MOVING)


def _act(studio: Studio, user: int, data: dict[str, str]) -> tuple[str, str]:
    """Perform an action. Return the addresses to move to, on this page and on another."""
    what = data.get("act")
    if what == "test-sample":
        count = _whole(data, "count")
        with studio.store.write() as session:
            made = draw_test_sample(session, user, _whole(data, "dataset"), count)
            return link("/label", dataset=made.dataset_id, subset=made.id), ""
    if what == "random-selection":
        with studio.store.write() as session:
            made = draw_random_selection(session, user, _whole(data, "subset"))
            return link("/label", dataset=made.dataset_id, subset=made.id), ""
    if what == "launch":
        from vecaf.engine.queue import submit_run

        with studio.store.read() as session:
            subset = visible(session, user, Subset, _whole(data, "subset"))
            dataset = visible(session, user, Dataset, subset.dataset_id)
        run_id = submit_run(studio.store, config_for(subset, dataset.name), user)
        return "", link("/runs", run=run_id)
    return "", ""


def config_for(subset: Subset, dataset: str) -> RunConfig:
    """Return a run of one round on a selection, with the selection's model and seed."""
    kept = {name: subset.facts[name] for name in FROM_SELECTION if name in subset.facts}
    return RunConfig.from_dict({**kept, "dataset": dataset, "subset": subset.name, "rounds": 1})


def _whole(data: dict[str, str], name: str) -> int:
    found = whole(data, name)
    if found is None:
        raise InputError("Enter a whole number.")
    return found


@dataclass(frozen=True)
class TestImages:
    """How many test images a dataset has, and how many of them are labeled."""

    total: int
    labeled: int
    asked: int | None = None  # by a run that needs more of them

    confidence: float = CONFIDENCE

    @property
    def needed(self) -> dict[int, int]:
        """How many check images confirm a maximum error rate, by percentage, if one is wrong."""
        return {share: fewest_checked(share / 100, 1 - CONFIDENCE, wrong=1) for share in (10, 5, 2)}

    @property
    def usual(self) -> int:
        """Size of a test sample by default."""
        return min(self.asked or self.needed[10], self.total)


def _render(studio: Studio, user: int, values: dict[str, str]) -> str:
    pieces = macros("label")
    with studio.store.read() as session:
        datasets = dataset_choices(session, user)
    if not datasets:
        return str(pieces.no_dataset())
    try:
        with studio.store.read() as session:
            subset_id = whole(values, "subset")
            dataset_id = whole(values, "dataset")
            if dataset_id is None:
                dataset_id = datasets[0][0]
                if subset_id is not None:
                    dataset_id = visible(session, user, Subset, subset_id).dataset_id
            dataset = visible(session, user, Dataset, dataset_id)
            lines = [
                line
                for line in subsets_of(session, user, dataset_id)
                if line.kind in (SELECTION, EVALUATION)
                or line.labeled < line.images
                or line.id == subset_id
            ]
            tests = TestImages(*count_split(session, dataset_id, TEST), whole(values, "tests"))
            pool, labeled = count_pool(session, dataset_id)
            counts = count_pool_by_class(session, dataset)
            step = next_step(session, user, dataset_id, counts, pool - labeled)
    except NotFoundError as error:
        return str(pieces.missing(str(error)))
    if subset_id is None:
        return str(pieces.listing(datasets, dataset.id, lines, tests))
    line = next((line for line in lines if line.id == subset_id), None)
    if line is None:
        return str(pieces.missing(f"This dataset has no labeling task {subset_id}."))
    return str(pieces.task(line, len(dataset.classes), tests, step))
