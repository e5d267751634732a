from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from tests.datasets.conftest import samples
from vecaf.datasets import import_demo
from vecaf.datasets.pool import image_path
from vecaf.errors import InputError
from vecaf.store import Dataset, Store


def test_the_color_and_line_art_demos_match(store: Store) -> None:
    color, line = import_demo(store, "color"), import_demo(store, "line")
    assert (color.name, line.name) == ("openmoji", "openmoji-line")
    assert 900 <= color.images <= 1800
    assert (color.refused, color.warnings, color.duplicates) == ((), (), 0)
    assert (line.refused, line.warnings, line.duplicates) == ((), (), 0)
    assert len(color.classes) == 6
    assert min(sum(splits.values()) for splits in color.classes.values()) > 50

    ours, others = samples(store, "openmoji"), samples(store, "openmoji-line")
    for one, other in zip(ours, others, strict=True):
        assert (one.file_name, one.label, one.split, one.caption) == (
            other.file_name, other.label, other.split, other.caption,
        )  # fmt: skip
        assert (one.width, one.height) == (96, 96)
    pizza = next(i for i, one in enumerate(ours) if one.file_name == "Food & Drink/pizza.png")
    assert ours[pizza].caption == "slice of pizza"
    colored, drawn = (
        np.asarray(Image.open(image_path(store.settings.images, s.sha256, s.extension)))[..., :3]
        for s in (ours[pizza], others[pizza])
    )
    assert np.ptp(colored.astype(int), axis=2).max() > 100
    assert np.ptp(drawn.astype(int), axis=2).max() == 0
    assert (drawn[0, 0] == 255).all()
    assert (drawn < 64).any()
    with store.read() as session:
        attributions = set(session.scalars(sa.select(Dataset.attribution)))
    assert attributions == {"OpenMoji, CC BY-SA 4.0, openmoji.org"}


def test_an_unknown_kind(store: Store) -> None:
    with pytest.raises(InputError, match="'color' or 'line'"):
        import_demo(store, "sepia")
