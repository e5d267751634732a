"""Open a dataset by its name or its path."""

from __future__ import annotations

import os
from pathlib import Path

from vecaf.errors import NotFoundError
from vecaf.notebook.dataset import OpenDataset
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named

SOURCES = ("demo:", "torchvision:")
"""Prefixes of datasets that the studio can import by name."""


def open_dataset(source: str | Path, *, home: str | Path | None = None) -> OpenDataset:
    """Open a dataset: one of the studio, or a file or folder, which is imported the first time.

    Parameters
    ----------
    source
        Name of a dataset; a path in one of the formats that the studio reads; "demo:color"; or
        "torchvision:CIFAR10". The dataset of a path is named after the file or folder.
    home
        The data folder. Default: that of the studio, VECAF_HOME.

    Raises
    ------
    InputError
        There is no such dataset or path, or it can't be imported.
    """
    from vecaf.datasets.sources import import_source

    environment = {} if home is None else {"VECAF_HOME": str(home), "DATABASE_URL": ""}
    settings = Settings.from_environment(os.environ | environment)
    store = Store.open(settings)
    user = store.owner()
    path, text = Path(source), str(source)
    exists = path.exists()
    name = path.stem if exists else text.replace(":", " ")
    try:
        with store.read() as session:
            return OpenDataset(store, user, dataset_named(session, user, name).id)
    except NotFoundError:
        if not exists and not text.startswith(SOURCES):
            raise
    report = import_source(store, text, name, user_id=user)
    return OpenDataset(store, user, report.dataset_id)
