"""The Finetune page: the settings of a run, its cost, and the launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotLabeledError, VecafError
from vecaf.runs.presets import preset
from vecaf.store import CANCELED, EVALUATION, FAILED, Dataset, Run, dataset_named, visible
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.next_step import FINETUNE, next_step_to_train
from vecaf.store.page_queries import dataset_choices, dataset_names
from vecaf.store.runs import runs_on
from vecaf.store.subsets import subsets_of

from ..shell.address import parameters, query_input, whole
from ..shell.components.live import acknowledge, live
from ..shell.studio import Studio
from . import form, view
from . import summary as summaries

# Not a secret: it keeps form values in the user's own browser, and must outlive a restart.
KEEP: dict[str, Any] = {"storage_key": "vecaf-finetune", "secret": "form values only"}
BASELINE = "_baseline"  # the checkbox, beside the settings that the browser keeps
POLL_SECONDS = 1.5  # while a measurement runs


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (navigation.js)
    query = query_input()
    kept = gr.BrowserState({}, **KEEP)
    target = gr.Textbox(visible=False)
    timer = gr.Timer(POLL_SECONDS, active=False)
    gr.HTML(view.html("title"), apply_default_css=False, js_on_load=None, elem_id="main")
    presets = live("presets-piece", view.presets([item.default for item in form.FIELDS]))
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="finetune", equal_height=False):
        with gr.Column(scale=5, min_width=320):
            for title, items in (
                ("Selection", form.in_selection()),
                ("Training", form.in_training()),
            ):
                simple = any(item.name in form.SIMPLE for item in items)
                with gr.Column(elem_classes="card sheet" if simple else "card sheet in-all"):
                    heading = view.html("heading", title)
                    gr.HTML(heading, apply_default_css=False, js_on_load=None)
                    made |= {item.name: form.component(item) for item in items}
            with gr.Accordion("Advanced settings", open=False, elem_classes="card sheet in-all"):
                made |= {item.name: form.component(item) for item in form.advanced()}
        with gr.Column(scale=3, min_width=300, elem_classes="aside"):
            summary = live("summary")
            baseline = gr.Checkbox(
                True,
                label="Add a random baseline",
                info="Also launches the same run on randomly selected images, so that you can see "
                "what the strategy gains.",
                elem_id="f-baseline",
            )
            with gr.Column(elem_classes="launch-bar"):
                estimate = live("estimate")  # shown on phones, where the summary is far above
                launch = gr.Button("Launch run", variant="primary", elem_id="launch")
    inputs = [made[item.name] for item in form.FIELDS]
    fields = [*inputs, baseline]
    outputs = [summary, estimate, timer, launch]

    def load(address: str, stored: object, request: gr.Request) -> list[Any]:
        user = studio.user(request)
        values = _opening(studio, user, parameters(address), stored)
        with_baseline = not isinstance(stored, dict) or stored.get(BASELINE) is not False
        names, subsets = _names(studio, user, values[0])
        shown = dict(zip((item.name for item in form.FIELDS), values, strict=True))
        shown["dataset"] = gr.Dropdown(names, value=values[0])
        shown["subset"] = gr.Dropdown(form.subset_choices(subsets), value=shown["subset"])
        summarized = _summary(studio, user, [*values, with_baseline])
        return [*shown.values(), with_baseline, *summarized, view.presets(values)]

    def change(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        summarized = _summary(studio, studio.user(request), values)
        names = [*(item.name for item in form.FIELDS), BASELINE]
        stored = dict(zip(names, values, strict=True))
        return *summarized, stored, view.presets(values[:-1])

    def refresh(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        return _summary(studio, studio.user(request), values)

    def measure(event: gr.EventData, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        user = studio.user(request)
        try:
            if event._data.get("act") == "measure":
                summaries.queue_measurement(studio, user, form.read(values[:-1]))
        except VecafError as error:
            gr.Warning(str(error), title="")
        return _summary(studio, user, values)

    def apply_preset(event: gr.EventData, *values: Any) -> list[Any]:
        found = preset(str(event._data.get("name", "")))
        settings = {} if found is None else found.values
        names = [item.name for item in form.FIELDS]
        return [settings.get(name, value) for name, value in zip(names, values, strict=True)]

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
    # One after the other: an older answer must not replace the one that shows a new measurement.
    ordered = {**quiet, "concurrency_id": "finetune-summary", "concurrency_limit": 1}
    demo.load(
        load,
        [query, kept],
        [*fields, *outputs, presets],
        js="(q, k) => [studio.query(), k]",
        **quiet,
    ).then(None, None, None, js="() => studio.forgetOpening()", **quiet)
    gr.on(
        [component.change for component in fields],  # type: ignore[attr-defined]
        change,
        fields,
        [*outputs, kept, presets],
        trigger_mode="always_last",
        **ordered,
    )
    made["dataset"].input(  # type: ignore[attr-defined]
        subsets, [made["dataset"], made["subset"]], made["subset"], **quiet
    )
    timer.tick(refresh, fields, outputs, **ordered)
    acknowledge(summary.act(measure, fields, outputs, **ordered))
    acknowledge(presets.act(apply_preset, inputs, inputs, **quiet))
    launch.click(start, fields, [*outputs, target], **quiet).then(
        None, target, None, js="(address) => { if (address) location.assign(address) }"
    )


def _names(studio: Studio, user: int, dataset: str | None) -> tuple[list[str], list[str]]:
    """Return the names of the datasets, and of the saved selections of `dataset`."""
    with studio.store.read() as session:
        names = dataset_names(session, user)
        if dataset not in names:
            return names, []
        found = dataset_named(session, user, dataset)
        lines = subsets_of(session, user, found.id)
    return names, [line.name for line in lines if line.kind != EVALUATION]


def _opening(studio: Studio, user: int, values: dict[str, str], stored: object) -> list[Any]:
    """Return the form's first values: those of a cloned run or those that the browser has kept.

    What the address names replaces them.
    """
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
            gr.Warning(f"{error} The form keeps its previous values.", title="")
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
    else:  # another dataset's, or deleted
        found[at["subset"]] = ""
        if subset and (asked or clone is not None):
            gr.Warning(
                f"The dataset has no saved selection called '{subset}'. The strategy selects the "
                "images instead.",
                title="",
            )
    return found


def _only_selection(studio: Studio, user: int, dataset: str) -> str:
    """Return the selection that holds all labels of the pool; "" for none."""
    with studio.store.read() as session:
        found = dataset_named(session, user, dataset)
        step = next_step_to_train(session, user, found.id, count_pool_by_class(session, found))
    return "" if step.kind != FINETUNE or step.subset is None else step.subset.name


def _cloned(studio: Studio, user: int, run_id: int) -> tuple[dict[str, Any], str | None]:
    """Return a run's settings and its dataset's name, None for a dataset of another user.

    Raises NotFoundError.
    """
    with studio.store.read() as session:
        run = visible(session, user, Run, run_id)
        dataset = visible(session, user, Dataset, run.dataset_id)
    if dataset.owner_id == user:
        return run.config, dataset.name
    gr.Warning(
        f"Run {run_id} uses '{dataset.name}', which is shared with you, so you can't finetune on "
        "it. The form has the run's settings and one of your own datasets. Check that they fit.",
        title="",
    )
    return {**run.config, "dataset": ""}, None


def _launch(studio: Studio, user: int, config: RunConfig, with_baseline: bool) -> int:
    """Queue the run, and its random baseline if it can have one and none exists yet."""
    from vecaf.engine.queue import submit_run

    run_id = submit_run(studio.store, config, user)
    baseline = _baseline(studio, user, config) if with_baseline else None
    if isinstance(baseline, RunConfig):
        submit_run(studio.store, baseline, user)
    return run_id


def _baseline(studio: Studio, user: int, config: RunConfig) -> RunConfig | str | None:
    """Return the random baseline to queue, or why there is none; None for a random run."""
    from vecaf.engine.baseline import RANDOM, baseline_config

    if config.strategy == RANDOM and not config.subset:
        return None
    with studio.store.read() as session:
        try:
            baseline = baseline_config(session, user, config)
        except InputError as error:
            return str(error)
        dataset = dataset_named(session, user, config.dataset)
        for run in runs_on(session, user, dataset.id):
            renamed = replace(baseline, dataset=str(run.config.get("dataset")))
            if renamed.as_dict() == run.config and run.state not in (FAILED, CANCELED):
                return f"A random baseline with these settings already exists: run {run.id}."
    return baseline


def _summary(studio: Studio, user: int, values: Sequence[Any]) -> tuple[str, str, Any, Any]:
    """Return the summary, the estimate beside the launch button, the timer and that button.

    The summary says what is wrong with the settings if they are invalid. The timer ticks while a
    measurement runs.
    """
    idle, blocked = gr.Timer(active=False), gr.Button(interactive=False)
    if not values[0]:
        with studio.store.read() as session:
            if not dataset_names(session, user):
                return view.html("no_datasets"), view.html("no_datasets_line"), idle, blocked
    try:
        config = form.read(values[:-1])
        with studio.store.read() as session:
            dataset, sizes = summaries.sizes_of(session, user, config)
            found = summaries.preview(session, user, dataset, config, sizes)
            gain = summaries.expected_gain(session, user, dataset, found.cost.labels)
            found = replace(found, gain=gain)
            timer = gr.Timer(active=found.measuring)
            note, estimate = "", view.html("estimate", found, False)
        baseline = _baseline(studio, user, config) if values[-1] else None
    except NotLabeledError as error:
        with studio.store.read() as session:
            card, line = view.labels_missing(session, user, str(values[0]), str(error))
        return card, line, idle, blocked
    except VecafError as error:
        card, line = view.html("problem", str(error)), view.html("problem_line", str(error))
        return card, line, idle, gr.Button(interactive=True)
    if isinstance(baseline, str):
        note = baseline
    elif baseline is not None:
        note = "A random-baseline run of the same size will follow."
        estimate = view.html("estimate", found, True)
    card = view.html("summary", config, sizes, found, note)
    return card, estimate, timer, gr.Button(interactive=True)
