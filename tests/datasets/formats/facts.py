"""A small dataset as plain data, to compare what a library wrote with what was imported."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg, packed, pixels
from vecaf.datasets.pool import image_path
from vecaf.store import Dataset, Store


@dataclass(frozen=True, order=True)
class Item:
    """An image with its metadata."""

    split: str
    content: bytes
    label: str
    caption: str = ""
    name: str = ""


CLASSES = ["cat", "dog", "gray wolf"]


def items(each: int = 2) -> list[Item]:
    """Return images of all splits and classes: JPEG and PNG, some with captions."""
    found = []
    for s, split in enumerate(("train", "val", "test")):
        for c, label in enumerate(CLASSES):
            for i in range(each):
                seed = 100 * s + 10 * c + i
                content = packed(pixels(seed), "PNG") if i % 2 else jpeg(seed)
                caption = f"a photo of a {label}, number {seed}" if i % 2 else ""
                name = f"{seed:03}.{'png' if i % 2 else 'jpg'}"
                found.append(Item(split, content, label, caption, name))
    return found


def stored(store: Store, name: str) -> list[Item]:
    """Return the images of a dataset, sorted, without their names."""
    rows = samples(store, name)
    with store.read() as session:
        classes = session.scalars(sa.select(Dataset).where(Dataset.name == name)).one().classes
    return sorted(
        Item(
            one.split,
            image_path(store.settings.images, one.sha256, one.extension).read_bytes(),
            "" if one.label is None else classes[one.label],
            one.caption or "",
        )
        for one in rows
    )


def expected(found: list[Item], *, captions: bool = True) -> list[Item]:
    """Return items as `stored` does. Test images have no private data, so they stay unchanged."""
    return sorted(
        Item(one.split, one.content, one.label, one.caption if captions else "") for one in found
    )
