"""Commands on the installation: list strategies and models, run workers, check the installation."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vecaf.commands.application import Force, Json, app
from vecaf.commands.output import print_result, table
from vecaf.settings import Settings


@app.command()
def strategies(json: Json = False) -> None:
    """List the selection strategies with their tracks and options."""
    from vecaf.selection import describe

    infos = describe()
    text = table(
        ["name", "tracks", "description", "options"],
        [[s.name, ", ".join(s.tracks), s.description, _options(s.options)] for s in infos],
    )
    listed = [
        {
            "name": s.name,
            "description": s.description,
            "paper": s.paper,
            "tracks": list(s.tracks),
            "required": list(s.required),
            "optional": list(s.optional),
            "options": s.options,
        }
        for s in infos
    ]
    print_result({"strategies": listed}, text, json)


def _options(options: dict[str, Any]) -> str:
    """Format options as `run --strategy-options` takes them; without a default, only the name."""
    return ", ".join(f"{k}={v}" if v is not None else k for k, v in options.items())


@app.command()
def models(json: Json = False) -> None:
    """List tested models with their sizes and licenses, and whether they are installed."""
    from vecaf.encoders import list_models

    infos = list_models()
    rows = [
        [
            m.name, "vision-language" if m.kind == "VLM" else "vision",
            "yes" if m.available else "no", m.parameters, m.image_size, m.license, m.description,
        ]
        for m in infos
    ]  # fmt: skip
    heads = ["name", "kind", "installed", "M parameters", "pixels", "license", "description"]
    text = table(heads, rows)
    more = (
        "You can also use any timm model as the vision model, by its name, and any open_clip model "
        "as the vision-language model, as NAME/PRETRAINED. Without a network, copy "
        "the weights to a folder and set VECAF_WEIGHTS to it. The file has the name of the model's "
        "repository, such as resnet50.a1_in1k.safetensors."
    )
    print_result({"models": [vars(m) for m in infos]}, f"{text}\n{more}", json)


@app.command()
def worker(
    engine: Annotated[
        str,
        typer.Option(help="What executes jobs: local or ray. Overrides VECAF_ENGINE."),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print errors as JSON.")] = False,
) -> None:
    """Run the worker until Ctrl-C. The studio (python -m app) starts its own worker."""
    import logging
    import os

    from vecaf.engine.worker import main as run_worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    run_worker(Settings.from_environment(os.environ | ({"VECAF_ENGINE": engine} if engine else {})))


@app.command()
def doctor(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Repair mismatches between the database and the files."),
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Check the installation, models, database, device, and files, and say how to fix problems."""
    from vecaf.housekeeping.doctor import run_checks

    settings = Settings.from_environment()
    repairs = _repair(settings, force) if repair else []
    findings = list(run_checks(settings))
    lines = [f"repaired  {text}" for text in repairs]
    lines += [f"{'ok  ' if f.ok else 'FAIL'}  {f.subject}: {f.finding}" for f in findings]
    ok = all(f.ok for f in findings)
    payload = {"ok": ok, "findings": [vars(f) for f in findings], "repairs": repairs}
    print_result(payload, "\n".join(lines), json)
    if not ok:
        raise typer.Exit(1)


def _repair(settings: Settings, force: bool) -> list[str]:
    from vecaf.housekeeping.repair import repair
    from vecaf.store import Store
    from vecaf.store.integrity import check_all_tables

    store = Store.open(settings)
    check_all_tables(store)  # in a damaged database, files in use can look unused
    return repair(store, force=force)
