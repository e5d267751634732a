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
from vecaf.store import CANCELED, FAILED, dataset_named
from vecaf.store.page_queries import dataset_names
from vecaf.store.runs import runs_on

from ..shell.address import parameters, query_input
from ..shell.components.live import acknowledge, live
from ..shell.studio import Studio
from . import form, view
from . import summary as summaries
from .opening import choices, opening

# Not a secret: it keeps form values in the user's own browser, and must outlive a restart.
KEEP: dict[str, Any] = {"storage_key": "vecaf-finetune", "secret": "form values only"}
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
    answer = [*outputs, kept, presets]

    def load(address: str, stored: object, request: gr.Request) -> list[Any]:
        user = studio.user(request)
        values, problem = opening(studio, user, parameters(address), stored)
        with_baseline = not isinstance(stored, dict) or stored.get(form.BASELINE) is not False
        names, subsets = choices(studio, user, values[0])
        shown = dict(zip((item.name for item in form.FIELDS), values, strict=True))
        shown["dataset"] = gr.Dropdown(names, value=values[0])
        shown["subset"] = gr.Dropdown(form.subset_choices(subsets), value=shown["subset"])
        answer = answered(user, stored, [*values, with_baseline])
        if problem:  # the browser keeps what it has
            answer = (*_blocked("problem", problem), gr.skip(), answer[-1])
        return [*shown.values(), with_baseline, *answer]

    def answered(user: int, stored: object, values: Sequence[Any]) -> tuple[Any, ...]:
        kept = form.to_keep(values, stored)
        return *_summary(studio, user, values), kept, view.presets(values[:-1])

    def change(request: gr.Request, stored: object, *values: Any) -> tuple[Any, ...]:
        return answered(studio.user(request), stored, values)

    def choose_images(request: gr.Request, stored: object, *values: Any) -> tuple[Any, ...]:
        user = studio.user(request)
        _, subsets = choices(studio, user, values[0])
        found = form.with_subset_of(subsets, values, stored)
        subset, rounds = (found[form.PLACES[name]] for name in ("subset", "rounds"))
        shown = gr.Dropdown(form.subset_choices(subsets), value=subset)
        if rounds == values[form.PLACES["rounds"]]:  # the user may be typing another number
            rounds = gr.skip()
        return shown, rounds, *answered(user, stored, found)

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

    def apply_preset(
        event: gr.EventData, request: gr.Request, stored: object, *values: Any
    ) -> tuple[Any, ...]:
        found = preset(str(event._data.get("name", "")))
        settings = {} if found is None else found.values
        names = [*(item.name for item in form.FIELDS), form.BASELINE]
        new = [settings.get(name, value) for name, value in zip(names, values, strict=True)]
        return *new[:-1], *answered(studio.user(request), stored, new)

    def start(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        user = studio.user(request)
        try:
            run_id = _launch(studio, user, form.read(values[:-1]), bool(values[-1]))
        except VecafError as error:
            gr.Warning(str(error), title="")
            return *_summary(studio, user, values), ""
        return *_summary(studio, user, values), f"/runs?run={run_id}"

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    # One after the other: an older answer must not replace a newer one. For the same reason, users
    # trigger handlers, and other handlers don't: those answer with the summary of what they set.
    ordered = {**quiet, "concurrency_id": "finetune-summary", "concurrency_limit": 1}
    demo.load(
        load,
        [query, kept],
        [*fields, *answer],
        js="(q, k) => [studio.query(), k]",
        **quiet,
    ).then(None, None, None, js="() => studio.forgetOpening()", **quiet)
    images = (made["dataset"], made["subset"])
    for components, handler, more in (
        ([field for field in fields if field not in images], change, []),
        (images, choose_images, [made["subset"], made["rounds"]]),
    ):
        gr.on(
            [component.input for component in components],  # type: ignore[attr-defined]
            handler,
            [kept, *fields],
            [*more, *answer],
            trigger_mode="always_last",
            **ordered,
        )
    timer.tick(refresh, fields, outputs, **ordered)
    acknowledge(summary.act(measure, fields, outputs, **ordered))
    acknowledge(presets.act(apply_preset, [kept, *fields], [*inputs, *answer], **ordered))
    launch.click(start, fields, [*outputs, target], **quiet).then(
        None, target, None, js="(address) => { if (address) location.assign(address) }"
    )


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
                return _blocked("no_datasets")
    try:
        config = form.read(values[:-1])
        with studio.store.read() as session:
            dataset, sizes = summaries.sizes_of(session, user, config)
            found = summaries.preview(session, user, dataset, config, sizes)
            gain = summaries.expected_gain(session, user, dataset, config, found.cost.labels)
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


def _blocked(name: str, *words: str) -> tuple[str, str, Any, Any]:
    """Return the answer of `_summary` if no run can be launched, from the view's macros."""
    card, line = view.html(name, *words), view.html(f"{name}_line", *words)
    return card, line, gr.Timer(active=False), gr.Button(interactive=False)
