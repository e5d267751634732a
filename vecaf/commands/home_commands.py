"""Commands on the whole data folder: back up, restore, and clean up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vecaf.commands.application import Force, Json, app
from vecaf.commands.output import ProgressBar, print_result, table
from vecaf.settings import Settings


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="File to create, for example vecaf.tar.")],
    embeddings: Annotated[
        bool,
        typer.Option(
            "--embeddings",
            help="Include cached embeddings. Without them the backup is smaller, and the studio "
            "computes them again when it needs them.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Back up all data to one file. The studio can keep running."""
    from vecaf.housekeeping.backup import write_backup
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    result = write_backup(store, to, with_embeddings=embeddings, progress=ProgressBar())
    print_result(result.as_dict(), "\n".join(result.sentences()), json)


@app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="Backup file that `backup` created.")
    ],
    home: Annotated[
        Path, typer.Option(help="New or empty folder to restore to. Use it as VECAF_HOME later.")
    ],
    json: Json = False,
) -> None:
    """Restore a backup to a new data folder and verify each file's checksum."""
    from vecaf.housekeeping.backup import restore as restore_backup

    restored = restore_backup(source, home)
    text = (
        f"Restored {restored['files']:,} files from the backup of {restored['created']} to {home}. "
        f"Start the studio with --home {home}."
    )
    if restored["database"] != "sqlite":
        text += "\nRestore the database too: pg_restore --dbname=NEW_DATABASE vecaf.dump"
    print_result(restored, text, json)


@app.command()
def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files, but do not move or delete any.")
    ] = False,
    task_days: Annotated[
        int,
        typer.Option(
            min=0, help="Keep the results of tasks (maps, selections) for this many days."
        ),
    ] = 30,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Empty the trash now instead of after 7 days."),
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Move unused files to the trash, and delete files that have been in the trash for 7 days."""
    from vecaf.housekeeping import trash
    from vecaf.housekeeping.garbage import by_kind, find_garbage, refusal_reason, remove_garbage
    from vecaf.store import Store
    from vecaf.store.integrity import check_all_tables

    store = Store.open(Settings.from_environment())
    check_all_tables(store)  # in a damaged database, files in use can look unused
    home = store.settings.home
    unused, moved_to, freed = find_garbage(store, task_days=task_days), "", 0
    if not dry_run:
        if unused:
            moved_to = (
                remove_garbage(store, unused, force=force).folder.relative_to(home).as_posix()
            )
        freed = trash.empty_trash(home, keep_days=0 if purge else trash.KEEP_DAYS)
    kinds = by_kind(unused)
    total = sum(one.bytes for one in unused)
    payload = {
        "dry_run": dry_run,
        "bytes": total,
        "kinds": kinds,
        "removed": [{"kind": one.kind, "what": one.name, "bytes": one.bytes} for one in unused],
        "trash": "" if purge else moved_to,
        "freed": freed,
    }
    headers = ["what", "count", "bytes"]
    rows = [[kind["kind"], kind["count"], kind["bytes"]] for kind in kinds]
    lines = [table(headers, rows)] if unused else ["No unused files."]
    if unused and dry_run:
        lines.append(f"Without --dry-run, gc moves {total / 1e6:,.1f} MB to the trash.")
        if (reason := refusal_reason(store, unused)) is not None:
            lines.append(f"{reason} To move the files anyway, pass --force.")
    elif unused and not purge:
        lines.append(
            f"Moved {total / 1e6:,.1f} MB to {moved_to} in the data folder. To restore a file, "
            f"move it back. gc deletes files after {trash.KEEP_DAYS} days in the trash; "
            "gc --purge deletes them now."
        )
    if freed:
        lines.append(f"Deleted {freed / 1e6:,.1f} MB from the trash.")
    print_result(payload, "\n".join(lines), json)
