"""Commands on the installation: what it offers, its worker, its health."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vecaf.commands.shared import Force, Json, app
from vecaf.commands.terminal import show, table
from vecaf.settings import Settings


@app.command()
def strategies(json: Json = False) -> None:
    """List the selection strategies, the tracks they serve, what they need and their options."""
    from vecaf.selection import describe

    found = describe()
    text = table(
        ["name", "tracks", "what it does", "options"],
        [[s.name, ", ".join(s.tracks), s.description, _options(s.options)] for s in found],
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
        for s in found
    ]
    show({"strategies": listed}, text, json)


def _options(options: dict[str, Any]) -> str:
    """As `run --strategy-options` reads them; those without a value of their own by name alone."""
    return ", ".join(f"{k}={v}" if v is not None else k for k, v in options.items())


@app.command()
def models(json: Json = False) -> None:
    """List the embedded models; any timm or open_clip name works as well."""
    from vecaf.encoders import list_models

    found = list_models()
    text = table(["name", "kind", "what it is"], [[m.name, m.kind, m.description] for m in found])
    more = "Besides these: any timm name (PVM) or open_clip NAME/PRETRAINED (VLM)."
    show({"models": [vars(m) for m in found]}, f"{text}\n{more}", json)


@app.command()
def worker(
    count: Annotated[
        int, typer.Option(min=0, help="How many; 0 is one for each GPU of this machine.")
    ] = 1,
    json: Json = False,
) -> None:
    """Run a worker alone, or several, until Ctrl-C. The studio (python -m app) starts its own."""
    import logging

    from vecaf.engine import worker_group as several
    from vecaf.engine.worker import main as work

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = Settings.from_environment()
    if count == 1:
        work(settings)
    else:
        raise typer.Exit(several.main(settings, count))


@app.command()
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair files and rows that do not belong together.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Check the installation, models, database, device and files; say what to do."""
    from vecaf.housekeeping.doctor import run_checks

    settings = Settings.from_environment()
    repairs = _repaired(settings, force) if repair else []
    findings = list(run_checks(settings))
    lines = [f"mended  {text}" for text in repairs]
    lines += [f"{'ok ' if f.ok else 'BAD'}  {f.subject}: {f.finding}" for f in findings]
    sound = all(f.ok for f in findings)
    payload = {"ok": sound, "findings": [vars(f) for f in findings], "repairs": repairs}
    show(payload, "\n".join(lines), json)
    if not sound:
        raise typer.Exit(1)


def _repaired(settings: Settings, force: bool) -> list[str]:
    from vecaf.housekeeping.repair import repair
    from vecaf.store import Store
    from vecaf.store.integrity import check_all_tables

    store = Store.open(settings)
    check_all_tables(store)  # rows that can't be read name no files
    return repair(store, force=force)
