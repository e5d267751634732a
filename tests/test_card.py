"""A model card says what was done, and is made of what is there."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.shapes import write_shapes
from vecaf.card import contact_sheet


def test_pictures_that_the_store_has_lost_are_left_out_of_the_sheet(tmp_path: Path) -> None:
    paths = [path for path, _ in write_shapes(tmp_path, 3)]
    paths[0].unlink()
    paths[1].write_bytes(b"cut")
    sheet = contact_sheet(paths)
    assert sheet is not None
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.size == (80, 80)  # of one picture
    assert contact_sheet(paths[:2]) is None
