"""Compare files and database (`doctor`), and repair mismatches (`doctor --repair`)."""

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
from vecaf.wording import plural


def check_files(store: Store) -> str:
    """Return a sentence if files and database match, else raise VecafError with the differences."""
    left, lost = find_orphaned_files(store), find_lost_files(store)
    if not left and not lost:
        return "all referenced files exist, and there are no unreferenced files"
    parts = [one.sentence for one in lost]
    if left:
        size = sum(one.bytes for one in left) / 1e6
        names = ", ".join(one.path.relative_to(store.settings.home).as_posix() for one in left[:3])
        more = " …" if len(left) > 3 else ""
        count = plural(len(left), "unreferenced file")
        parts.append(f"{count} ({size:,.1f} MB): {names}{more}.")
    advice = (
        "To move unreferenced files to the trash and update the warnings about missing ones, run: "
        "python -m vecaf doctor --repair"
    )
    raise VecafError(" ".join([*parts, majority_warning(store.settings, left) or advice]))


def repair(store: Store, grace: float = HOUR, *, force: bool = False) -> list[str]:
    """Move orphaned files to the trash, and update the warnings about missing files.

    Returns
    -------
    What was done, as sentences.

    Raises
    ------
    InputError
        Most images or runs would be moved, and `force` is False.
    UnavailableError
        A backup is being made.
    """
    home = store.settings.home
    trash = Trash(home)
    done = [
        f"Moved {one.path.relative_to(home).as_posix()} to the trash "
        f"({one.kind}, {one.bytes:,} bytes)"
        for one in move_to_trash(store, find_orphaned_files(store, grace), trash, force=force)
    ]
    if done:
        done.append(
            f"The trash is {FOLDER}/{trash.folder.name} in the data folder. gc deletes its files "
            f"after {KEEP_DAYS} days, gc --purge immediately"
        )
    lost = find_lost_files(store)
    done += [f"{report_lost_files(store, one)}: {one.sentence}" for one in lost if not one.reported]
    return done + clear_reports(store, {one.id for one in lost if one.kind == DATASET})
