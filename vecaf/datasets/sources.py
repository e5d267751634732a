"""Import sources as strings: a path, a server folder, a public dataset or the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vecaf.datasets import demo, folders, public
from vecaf.datasets.formats import ImportOptions
from vecaf.datasets.import_report import ImportReport
from vecaf.datasets.importing import AUTOMATIC, import_dataset
from vecaf.datasets.remote import is_remote, shown_url
from vecaf.datasets.upload_options import upload_options
from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import Store

DEMO = "demo:"


def checked_source(source: str | Path, settings: Settings) -> str:
    """Check an import source and return it in the form that is queued.

    Parameters
    ----------
    source
        A public dataset ("torchvision:CIFAR10"), a demo ("demo:color"), a server folder below an
        allowed root ("folder:/data/pets"), or the path of an archive or folder.

    Raises
    ------
    InputError
        The source does not exist or is not allowed.
    UnavailableError
        Importing server folders is turned off.
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
    if is_remote(text):
        raise InputError(
            "Remote folders are imported on the command line, where you provide the credentials: "
            f"python -m vecaf import {shown_url(text)} --name NAME"
        )
    path = Path(source).absolute()
    if not path.exists():
        raise InputError(f"There is no file or folder {path}. Check the path.")
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
    options: ImportOptions = AUTOMATIC,
) -> ImportReport:
    """Import a source (see `checked_source`). Raises the errors of `import_dataset`.

    `options` is used for paths only.
    """
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
    path: str | Path = source
    if store.settings.uploads in Path(source).parents:
        options = upload_options(Path(source)) or options
    if source.startswith(folders.PREFIX):  # check again, since links may have changed
        path = folders.resolve_allowed(store.settings, source.removeprefix(folders.PREFIX))
    return import_dataset(
        store, path, name, user_id=user_id, import_id=import_id, progress=progress,
        should_stop=should_stop, options=options,
    )  # fmt: skip
