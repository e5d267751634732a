"""A model card says what was done, and is made of what is there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.shapes import write_shapes
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.export.card import Reached, card, contact_sheet


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RunConfig(rounds=3), "Its images were picked by `vecaf` in 3 rounds."),
        (RunConfig(rounds=1), "Its images were picked by `vecaf` in 1 round."),
        (RunConfig(rounds=1, subset="mine"), "It was trained on the selection `mine`."),
        (
            RunConfig(rounds=2, subset="mine", strategy="margin"),
            "the selection `mine`, then on images picked by `margin` in 1 more round.",
        ),
        (RunConfig(strategy="badge"), "picked by `badge` (round 1: typiclust) in 3 rounds."),
        (RunConfig(strategy="badge", track=LABELS_KNOWN), "picked by `badge` in 3 rounds."),
        (
            RunConfig(strategy="margin", track=LABELS_KNOWN, head_init="zeros"),
            "picked by `margin` (round 1: typiclust) in 3 rounds.",
        ),
    ],
)
def test_the_card_says_what_picked_the_images(config: RunConfig, words: str) -> None:
    reached = [Reached(1, 6, 8, None, None)]
    text = card("run", config, "shapes", None, ("a", "b"), reached, "No ONNX.", False)
    assert words in text
    assert ("picked by" in text) == ("picked by" in words)


def test_pictures_that_the_store_has_lost_are_left_out_of_the_sheet(tmp_path: Path) -> None:
    paths = [path for path, _ in write_shapes(tmp_path, 3)]
    paths[0].unlink()
    paths[1].write_bytes(b"cut")
    sheet = contact_sheet(paths)
    assert sheet is not None
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.size == (80, 80)  # of one picture
    assert contact_sheet(paths[:2]) is None
