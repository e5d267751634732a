"""The Finetune page: a run's settings, the command line that says the same, and the launch."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from app import markup as m
from app.components.live import live
from app.pages import finetune_form as form
from app.pages.address import parameters, query_input
from app.studio import Studio
from vecaf.config import RunConfig
from vecaf.errors import InputError, VecafError
from vecaf.plan import check_pool
from vecaf.store import dataset_named
from vecaf.store.datasets import pool_by_class
from vecaf.store.pages import dataset_choices, dataset_names

TITLE = (
    '<div class="title"><h1>Finetune</h1><p>Choose what is picked and how the model learns from '
    "it.</p></div>"
)
# Not a secret: it keeps form values in the person's own browser, and must outlive a restart.
KEEP: dict[str, Any] = {"storage_key": "vecaf-finetune", "secret": "form values only"}


def page(studio: Studio, demo: gr.Blocks) -> None:
    """Build the page's components and handlers; called inside a Blocks context."""
    Navbar(visible=False)  # the studio has its own bar (studio.js)
    query = query_input()
    kept = gr.BrowserState({}, **KEEP)
    target = gr.Textbox(visible=False)
    gr.HTML(TITLE, apply_default_css=False, js_on_load=None, elem_id="main")
    made: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="finetune", equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_classes="form-ready"):
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
            launch = gr.Button("Launch", variant="primary", elem_id="launch")
    inputs = [made[item.name] for item in form.FIELDS]

    def load(address: str, stored: object, request: gr.Request) -> list[Any]:
        user = studio.user(request)
        with studio.store.read() as session:
            names = dataset_names(session, user)
            wanted = parameters(address).get("dataset")
            by_id = {str(id_): name for id_, name in dataset_choices(session, user)}
            wanted = by_id.get(wanted or "", wanted)  # other pages' addresses carry the id
        values = form.restored(stored, names, wanted)
        dataset = gr.Dropdown(names, value=values[0])
        return [dataset, *values[1:], _summary(studio, user, values)]

    def changed(request: gr.Request, *values: Any) -> tuple[str, dict[str, Any]]:
        names = (item.name for item in form.FIELDS)
        return _summary(studio, studio.user(request), values), dict(zip(names, values, strict=True))

    def start(request: gr.Request, *values: Any) -> tuple[str, str]:
        from vecaf.jobs.queue import submit_run

        user = studio.user(request)
        try:
            config = form.read(values)
            _check(studio, user, config)
            run_id = submit_run(studio.store, config, user)
        except VecafError as error:
            gr.Warning(str(error), title="")
            return _summary(studio, user, values), ""
        return _summary(studio, user, values), f"/runs?run={run_id}"

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    demo.load(load, [query, kept], [*inputs, summary], js="(q, k) => [studio.query(), k]", **quiet)
    gr.on(
        [component.change for component in inputs],  # type: ignore[attr-defined]
        changed,
        inputs,
        [summary, kept],
        trigger_mode="always_last",
        **quiet,
    )
    launch.click(start, inputs, [summary, target], **quiet).then(
        None, target, None, js="(address) => { if (address) location.assign(address) }"
    )


def _check(studio: Studio, user: int, config: RunConfig) -> tuple[int, int]:
    """(images a round, images in the pool); raises InputError where the dataset can't serve it."""
    with studio.store.read() as session:
        dataset = dataset_named(session, user, config.dataset)
        by_class = pool_by_class(session, dataset)
    return check_pool(config, dataset.classes, by_class), sum(by_class)


def _summary(studio: Studio, user: int, values: Any) -> str:
    """What the settings come to, or the sentence that says what is wrong with them."""
    if not values[0]:
        with studio.store.read() as session:
            if not dataset_names(session, user):
                return m.empty("No datasets yet", 'Upload one on the <a href="/">Data page</a>.')
    try:
        config = form.read(values)
        budget, pool = _check(studio, user, config)
    except InputError as error:
        return f'<section class="card"><h2>This run</h2>{m.notice(str(error))}</section>'
    picked = budget * config.rounds
    facts = m.facts(
        (
            ("Images picked", f"{m.number(budget)} a round"),
            ("In all", f"{m.number(picked)} of {m.number(pool)} ({m.percent(picked / pool)})"),
            ("Training", f"{m.plural(config.epochs, 'epoch')} a round, {m.text(config.mode)}"),
            ("Batches", f"about {m.number(_batches(config, budget))}"),
        )
    )
    return (
        f'<section class="card"><h2>This run</h2>{facts}<h3>As a command</h3>'
        f"{m.command(config.as_command())}</section>"
    )


def _batches(config: RunConfig, budget: int) -> int:
    """Optimizer steps over all rounds: every round trains on all that was picked so far."""
    rounds = range(1, config.rounds + 1)
    return sum(config.epochs * -(-budget * number // config.batch_size) for number in rounds)
