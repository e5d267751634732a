"""The Finetune page: a run's settings, what they will cost, and the launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from app.finetune import form
from app.finetune import summary as summarized
from app.finetune.presets import presets
from app.shell import markup as m
from app.shell.address import parameters, query_input, whole
from app.shell.components.live import in_line, live
from app.shell.next_step_view import labels_first
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.errors import InputError, NotLabeledError, VecafError
from vecaf.runs.presets import preset
from vecaf.store import CANCELED, ENDED, FAILED, Dataset, Run, dataset_named, visible
from vecaf.store.datasets import pool_by_class
from vecaf.store.next_step import FINETUNE, next_step
from vecaf.store.page_queries import dataset_choices, dataset_names
from vecaf.store.runs import runs_on
from vecaf.store.subsets import subsets_of

TITLE = (
    '<div class="title"><h1>Finetune</h1><p>Choose what is picked and how the model learns from '
    "it.</p></div>"
)
# Not a secret: it keeps form values in the person's own browser, and must outlive a restart.
KEEP: dict[str, Any] = {"storage_key": "vecaf-finetune", "secret": "form values only"}
TWIN = "_baseline"  # beside the settings in what is kept
LOOK = 1.5  # seconds between looks while a measurement is under way


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (studio.js)
    query = query_input()
    kept = gr.BrowserState({}, **KEEP)
    target = gr.Textbox(visible=False)
    timer = gr.Timer(LOOK, active=False)
    gr.HTML(TITLE, apply_default_css=False, js_on_load=None, elem_id="main")
    offered = live("presets-piece", presets([item.default for item in form.FIELDS]))
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="finetune", equal_height=False):
        with gr.Column(scale=5, min_width=320):
            for title, items in (
                ("Selection", form.in_selection()),
                ("Training", form.in_training()),
            ):
                with gr.Column(elem_classes="card sheet"):
                    gr.HTML(f"<h2>{title}</h2>", apply_default_css=False, js_on_load=None)
                    made |= {item.name: form.component(item) for item in items}
            with gr.Accordion("Advanced", open=False, elem_classes="card sheet"):
                made |= {item.name: form.component(item) for item in form.advanced()}
        with gr.Column(scale=3, min_width=300, elem_classes="aside"):
            summary = live("summary")
            twin = gr.Checkbox(
                True,
                label="With a random baseline",
                info="The same run on random picks, right after: is the strategy worth it?",
                elem_id="f-baseline",
            )
            with gr.Column(elem_classes="launch-bar"):
                estimate = live("estimate")  # shown where the summary is far above (runs.css)
                launch = gr.Button("Launch", variant="primary", elem_id="launch")
    inputs = [made[item.name] for item in form.FIELDS]
    fields = [*inputs, twin]
    outputs = [summary, estimate, timer, launch]

    def load(address: str, stored: object, request: gr.Request) -> list[Any]:
        user = studio.user(request)
        values = _opening(studio, user, parameters(address), stored)
        beside = not isinstance(stored, dict) or stored.get(TWIN) is not False
        names, subsets = _names(studio, user, values[0])
        shown = dict(zip((item.name for item in form.FIELDS), values, strict=True))
        shown["dataset"] = gr.Dropdown(names, value=values[0])
        shown["subset"] = gr.Dropdown(form.subset_choices(subsets), value=shown["subset"])
        told = _summary(studio, user, [*values, beside])
        return [*shown.values(), beside, *told, presets(values)]

    def changed(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        told = _summary(studio, studio.user(request), values)
        names = [*(item.name for item in form.FIELDS), TWIN]
        stored = dict(zip(names, values, strict=True))
        return *told, stored, presets(values[:-1])

    def look(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        return _summary(studio, studio.user(request), values)

    def measure(event: gr.EventData, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        user = studio.user(request)
        try:
            if event._data.get("act") == "measure":
                summarized.queue_probe(studio, user, form.read(values[:-1]))
        except VecafError as error:
            gr.Warning(str(error), title="")
        return _summary(studio, user, values)

    def choose(event: gr.EventData, *values: Any) -> list[Any]:
        chosen = preset(str(event._data.get("name", "")))
        given = {} if chosen is None else chosen.values
        names = [item.name for item in form.FIELDS]
        return [given.get(name, value) for name, value in zip(names, values, strict=True)]

    def subsets(name: str, value: str, request: gr.Request) -> Any:
        _, found = _names(studio, studio.user(request), name)
        return gr.Dropdown(form.subset_choices(found), value=value if value in found else "")

    def start(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        user = studio.user(request)
        try:
            run_id = _launch(studio, user, form.read(values[:-1]), bool(values[-1]))
        except VecafError as error:
            gr.Warning(str(error), title="")
            return *_summary(studio, user, values), ""
        return *_summary(studio, user, values), f"/runs?run={run_id}"

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    demo.load(
        load,
        [query, kept],
        [*fields, *outputs, offered],
        js="(q, k) => [studio.query(), k]",
        **quiet,
    )
    gr.on(
        [component.change for component in fields],  # type: ignore[attr-defined]
        changed,
        fields,
        [*outputs, kept, offered],
        trigger_mode="always_last",
        **quiet,
    )
    made["dataset"].input(  # type: ignore[attr-defined]
        subsets, [made["dataset"], made["subset"]], made["subset"], **quiet
    )
    timer.tick(look, fields, outputs, **quiet)
    in_line(summary.act(measure, fields, outputs, **quiet))
    in_line(offered.act(choose, inputs, inputs, **quiet))
    launch.click(start, fields, [*outputs, target], **quiet).then(
        None, target, None, js="(address) => { if (address) location.assign(address) }"
    )


def _names(studio: Studio, user: int, dataset: str | None) -> tuple[list[str], list[str]]:
    """The names of the datasets, and of the chosen one's saved selections."""
    with studio.store.read() as session:
        names = dataset_names(session, user)
        if dataset not in names:
            return names, []
        found = dataset_named(session, user, dataset)
        return names, [item.name for item in subsets_of(session, user, found.id)]


def _opening(studio: Studio, user: int, values: dict[str, str], stored: object) -> list[Any]:
    """The fields' first values: a cloned run's, or what was kept, with what the address names."""
    with studio.store.read() as session:
        names = dataset_names(session, user)
        by_id = {str(id_): name for id_, name in dataset_choices(session, user)}
    wanted = values.get("dataset")
    wanted = by_id.get(wanted or "", wanted)  # other pages' addresses carry the id
    clone = whole(values, "clone")
    if clone is not None:
        try:
            stored, wanted = _cloned(studio, user, clone)
        except VecafError as error:
            gr.Warning(f"{error} The form shows what was there before.", title="")
            clone = None
    found = form.restored(stored, names, wanted)
    at = {item.name: place for place, item in enumerate(form.FIELDS)}
    asked = values.get("subset", "")
    subset = asked or found[at["subset"]]
    if not subset and clone is None and found[0]:
        asked = subset = _only_selection(studio, user, found[0])
    if subset in _names(studio, user, found[0])[1]:
        found[at["subset"]] = subset
        found[at["rounds"]] = 1 if asked else found[at["rounds"]]
    else:  # another dataset's, or forgotten since
        found[at["subset"]] = ""
        if subset and (asked or clone is not None):
            words = f"There is no saved selection called '{subset}' here: the strategy selects."
            gr.Warning(words, title="")
    return found


def _only_selection(studio: Studio, user: int, dataset: str) -> str:
    """The labeled selection to train on where the pool has no other labels; "" for none."""
    with studio.store.read() as session:
        found = dataset_named(session, user, dataset)
        step = next_step(session, user, found.id, pool_by_class(session, found))
    return "" if step.kind != FINETUNE or step.subset is None else step.subset.name


def _cloned(studio: Studio, user: int, run_id: int) -> tuple[dict[str, Any], str | None]:
    """A run's settings and its dataset's name, None where that is somebody else's.

    Raises NotFoundError.
    """
    with studio.store.read() as session:
        run = visible(session, user, Run, run_id)
        dataset = visible(session, user, Dataset, run.dataset_id)
    if dataset.owner_id == user:
        return run.config, dataset.name
    gr.Warning(
        f"Run {run_id} is on '{dataset.name}', which is shared with you: you can't finetune on it. "
        "These are its settings; check that they suit the dataset in the form, which is your own.",
        title="",
    )
    return {**run.config, "dataset": ""}, None


def _launch(studio: Studio, user: int, config: RunConfig, beside: bool) -> int:
    """Queue the run, and its random baseline where it can have one that is not there yet."""
    from vecaf.engine.queue import submit_run

    with studio.store.read() as session:
        summarized.sizes_of(session, user, config)
    run_id = submit_run(studio.store, config, user)
    twin = _twin(studio, user, config) if beside else None
    if isinstance(twin, RunConfig):
        submit_run(studio.store, twin, user)
    return run_id


def _twin(studio: Studio, user: int, config: RunConfig) -> RunConfig | str | None:
    """The random baseline to queue beside the run; why there is none; None for a random run."""
    from vecaf.engine.baseline import RANDOM, baseline_config

    if config.strategy == RANDOM and not config.subset:
        return None
    with studio.store.read() as session:
        try:
            twin = baseline_config(session, user, config)
        except InputError as error:
            return str(error)
        dataset = dataset_named(session, user, config.dataset)
        for run in runs_on(session, user, dataset.id):
            same = replace(twin, dataset=str(run.config.get("dataset"))).as_dict() == run.config
            if same and run.state not in (FAILED, CANCELED):
                return f"Its random baseline is there already: run {run.id}."
    return twin


def _summary(studio: Studio, user: int, values: Sequence[Any]) -> tuple[str, str, Any, Any]:
    """What the settings come to, or what is wrong with them: the summary, the estimate beside
    Launch, the timer (which ticks while a measurement is under way) and the Launch button."""
    idle, blocked = gr.Timer(active=False), gr.Button(interactive=False)
    if not values[0]:
        with studio.store.read() as session:
            if not dataset_names(session, user):
                hint = 'Upload one on the <a href="/">Data page</a>.'
                words = f"No datasets yet. {hint}"
                return m.empty("No datasets yet", hint), f"<p>{words}</p>", idle, blocked
    try:
        config = form.read(values[:-1])
        with studio.store.read() as session:
            dataset, sizes = summarized.sizes_of(session, user, config)
            found = summarized.preview(session, user, dataset, config, sizes)
            measuring = found.task is not None and found.task.state not in ENDED
        twin = _twin(studio, user, config) if values[-1] else None
    except NotLabeledError as error:
        with studio.store.read() as session:
            card, short = labels_first(session, user, str(values[0]), str(error))
        return card, short, idle, blocked
    except VecafError as error:
        notice = m.notice(str(error))
        card = f'<section class="card"><h2>This run</h2>{notice}</section>'
        return card, notice, idle, gr.Button(interactive=True)
    words = ""
    if isinstance(twin, str):
        words = twin
    elif twin is not None:
        words = "A run on as many random picks follows it: the same again in batches."
    card = summarized.card(config, sizes, found, words)
    short = summarized.estimate(found.cost, isinstance(twin, RunConfig))
    return card, short, gr.Timer(active=measuring), gr.Button(interactive=True)
