"""Commands on the home as a whole: backing it up, putting it back, cleaning it up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vecaf.commands.shared import Json, app
from vecaf.settings import Settings
from vecaf.terminal import Bar, show, table


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="A new file, vecaf.tar for example.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="With them: else they are computed again.")
    ] = False,
    json: Json = False,
) -> None:
    """Back up everything into one file, while the studio works."""
    from vecaf.housekeeping.backup import back_up
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    done = back_up(store, to, with_embeddings=embeddings, progress=Bar())
    show(done.as_dict(), "\n".join(done.sentences()), json)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A file that backup wrote.")],
    home: Annotated[Path, typer.Option(help="A new or empty folder, then the VECAF_HOME.")],
    json: Json = False,
) -> None:
    """Put a backup into a new home, and check every file of it."""
    from vecaf.housekeeping.backup import restore as put_back

    found = put_back(source, home)
    text = f"{found['files']:,} files of {found['created']} are in {home}; start with --home {home}"
    if found["database"] != "sqlite":
        text += "\nRestore the database, too: pg_restore --dbname=NEW_DATABASE vecaf.dump"
    show(found, text, json)


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    task_days: Annotated[int, typer.Option(min=0, help="Keep tasks' results so long.")] = 30,
    json: Json = False,
) -> None:
    """Remove what is of no use any more, and say what and how many bytes."""
    from vecaf.housekeeping.cleaning import by_kind, remove, waste
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    found = waste(store, task_days=task_days)
    if not dry_run:
        remove(store, found)
    kinds = by_kind(found)
    total = sum(one.bytes for one in found)
    payload = {
        "dry_run": dry_run,
        "bytes": total,
        "kinds": kinds,
        "removed": [{"kind": one.kind, "what": one.what, "bytes": one.bytes} for one in found],
    }
    heads = ["what", "count", "bytes"]
    rows = [[kind["kind"], kind["count"], kind["bytes"]] for kind in kinds]
    verb = "would be" if dry_run else "were"
    text = f"{table(heads, rows)}\n{total / 1e6:,.1f} MB {verb} set free."
    show(payload, text if found else "There is nothing to remove.", json)
