"""Files and rows that don't belong together: said by `doctor`, mended by `doctor --repair`."""

from __future__ import annotations

from vecaf.errors import VecafError
from vecaf.housekeeping.lost_files import DATASET, clear_reports, find_lost_files, report_lost_files
from vecaf.housekeeping.orphaned_files import (
    HOUR,
    find_orphaned_files,
    majority_warning,
    move_to_trash,
)
from vecaf.housekeeping.trash import FOLDER, KEEP_DAYS, Trash
from vecaf.store import Store


def check_files(store: Store) -> str:
    """That all is well; else VecafError with what is not, and what to do."""
    left, lost = find_orphaned_files(store), find_lost_files(store)
    if not left and not lost:
        return "every row has its files, and every file its row"
    parts = [one.sentence for one in lost]
    if left:
        size = sum(one.bytes for one in left) / 1e6
        names = ", ".join(one.path.relative_to(store.settings.home).as_posix() for one in left[:3])
        more = " …" if len(left) > 3 else ""
        parts.append(f"{len(left):,} files that nothing names ({size:,.1f} MB): {names}{more}")
    advice = "To repair what can be repaired, run: python -m vecaf doctor --repair"
    raise VecafError("; ".join(parts) + " " + (majority_warning(store.settings, left) or advice))


def repair(store: Store, grace: float = HOUR, *, force: bool = False) -> list[str]:
    """Move files that nothing names to the trash, mark rows whose files are gone, take marks away
    where the files are back; what was done, one sentence each.

    Raises InputError where most images or runs would go unless `force`, UnavailableError while
    a backup is being made.
    """
    home = store.settings.home
    trash = Trash(home)
    done = [
        f"moved {one.path.relative_to(home).as_posix()} to the trash "
        f"({one.kind}, {one.bytes:,} bytes)"
        for one in move_to_trash(store, find_orphaned_files(store, grace), trash, force=force)
    ]
    if done:
        done.append(
            f"the trash is {FOLDER}/{trash.folder.name} in the home; gc empties it after "
            f"{KEEP_DAYS} days, gc --purge at once"
        )
    lost = find_lost_files(store)
    done += [f"{report_lost_files(store, one)}: {one.sentence}" for one in lost if not one.reported]
    return done + clear_reports(store, {one.id for one in lost if one.kind == DATASET})
