"""What an import can be of, as one string: a path, a folder of this machine, a known name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vecaf.datasets import demo, folders, public
from vecaf.datasets.import_report import ImportReport
from vecaf.datasets.importing import import_dataset
from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import Store

DEMO = "demo:"


def checked_source(source: str | Path, settings: Settings) -> str:
    """The source as it is queued, once it is clear that it can be.

    "torchvision:CIFAR10", "demo:color" and "folder:/data/pets" are what they say, the last one
    only below an allowed root; anything else is the path of an archive or a folder. Raises
    InputError, UnavailableError for a folder where none is allowed.
    """
    text = str(source)
    if text.startswith(DEMO):
        return text
    if text.startswith(public.PREFIX):
        public.public_dataset(text.removeprefix(public.PREFIX))
        return text
    if text.startswith(folders.PREFIX):
        real = folders.resolve_allowed(settings, text.removeprefix(folders.PREFIX))
        return f"{folders.PREFIX}{real}"
    path = Path(source).absolute()
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.")
    return str(path)


def import_source(
    store: Store,
    source: str,
    name: str,
    *,
    user_id: int | None = None,
    import_id: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import whatever `source` names; see `checked_source`. Raises as `import_dataset` does."""
    if source.startswith(DEMO):
        return demo.import_demo(
            store, source.removeprefix(DEMO), name,
            user_id=user_id, import_id=import_id, progress=progress, should_stop=should_stop,
        )  # fmt: skip
    if source.startswith(public.PREFIX):
        return public.import_public(
            store, source.removeprefix(public.PREFIX), name,
            user_id=user_id, import_id=import_id, progress=progress, should_stop=should_stop,
        )  # fmt: skip
    if source.startswith(folders.PREFIX):  # asked again: links may have moved since
        path = folders.resolve_allowed(store.settings, source.removeprefix(folders.PREFIX))
    else:
        path = Path(source)
    return import_dataset(
        store, path, name,
        user_id=user_id, import_id=import_id, progress=progress, should_stop=should_stop,
    )  # fmt: skip
