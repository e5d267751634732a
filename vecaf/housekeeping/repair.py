"""Files and rows that don't belong together: said by `doctor`, mended by `doctor --repair`."""

from __future__ import annotations

from vecaf.errors import VecafError
from vecaf.housekeeping.leftovers import HOUR, delete, leftovers
from vecaf.housekeeping.losses import DATASET, losses, mark, unmark
from vecaf.store import Store


def files_sentence(store: Store) -> str:
    """That all is well; else VecafError with what is not, and what to do."""
    left, lost = leftovers(store), losses(store)
    if not left and not lost:
        return "every row has its files, and every file its row"
    parts = [one.sentence for one in lost]
    if left:
        size = sum(one.bytes for one in left) / 1e6
        names = ", ".join(one.path.relative_to(store.settings.home).as_posix() for one in left[:3])
        more = " …" if len(left) > 3 else ""
        parts.append(f"{len(left):,} files that nothing names ({size:,.1f} MB): {names}{more}")
    raise VecafError("; ".join(parts) + " Mend what can be mended: python -m vecaf doctor --repair")


def repair(store: Store, grace: float = HOUR) -> list[str]:
    """Delete files that nothing names, mark rows whose files are gone, take marks away where the
    files are back; what was done, one sentence each.

    Raises UnavailableError while a backup is being made.
    """
    home = store.settings.home
    done = [
        f"deleted {one.path.relative_to(home).as_posix()} ({one.kind}, {one.bytes:,} bytes)"
        for one in delete(store, leftovers(store, grace))
    ]
    lost = losses(store)
    done += [f"{mark(store, one)}: {one.sentence}" for one in lost if not one.marked]
    return done + unmark(store, {one.id for one in lost if one.kind == DATASET})
