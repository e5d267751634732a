"""Commands on the home as a whole: backing it up, putting it back, cleaning it up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vecaf.commands.shared import Force, Json, app
from vecaf.commands.terminal import Bar, show, table
from vecaf.settings import Settings


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="A new file, vecaf.tar for example.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="With them: else they are computed again.")
    ] = False,
    json: Json = False,
) -> None:
    """Back up everything into one file, while the studio works."""
    from vecaf.housekeeping.backup import write_backup
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    done = write_backup(store, to, with_embeddings=embeddings, progress=Bar())
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
    purge: Annotated[
        bool, typer.Option("--purge", help="Empty the trash now, not after 7 days.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Move files that are no longer needed to the trash, and delete old files from the trash."""
    from vecaf.housekeeping import trash
    from vecaf.housekeeping.garbage import by_kind, find_garbage, refusal_reason, remove_garbage
    from vecaf.store import Store
    from vecaf.store.integrity import check_all_tables

    store = Store.open(Settings.from_environment())
    check_all_tables(store)  # rows that can't be read name no files
    home = store.settings.home
    found, moved_to, freed = find_garbage(store, task_days=task_days), "", 0
    if not dry_run:
        if found:
            moved_to = remove_garbage(store, found, force=force).folder.relative_to(home).as_posix()
        freed = trash.empty_trash(home, keep_days=0 if purge else trash.KEEP_DAYS)
    kinds = by_kind(found)
    total = sum(one.bytes for one in found)
    payload = {
        "dry_run": dry_run,
        "bytes": total,
        "kinds": kinds,
        "removed": [{"kind": one.kind, "what": one.name, "bytes": one.bytes} for one in found],
        "trash": "" if purge else moved_to,
        "freed": freed,
    }
    heads = ["what", "count", "bytes"]
    rows = [[kind["kind"], kind["count"], kind["bytes"]] for kind in kinds]
    lines = [table(heads, rows)] if found else ["There is nothing to remove."]
    if found and dry_run:
        lines.append(f"{total / 1e6:,.1f} MB would be moved to the trash.")
        if (why := refusal_reason(store, found)) is not None:
            lines.append(f"{why} gc would need --force.")
    elif found and not purge:
        lines.append(
            f"{total / 1e6:,.1f} MB were moved to {moved_to} in the home. To restore a file, move "
            f"it back. gc empties the trash after {trash.KEEP_DAYS} days, gc --purge at once."
        )
    if freed:
        lines.append(f"{freed / 1e6:,.1f} MB were deleted from the trash.")
    show(payload, "\n".join(lines), json)
