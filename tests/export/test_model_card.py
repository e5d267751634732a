"""The model card describes the selection; its contact sheet leaves out missing images."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.shapes import write_shapes
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.export.model_card import contact_sheet, model_card
from vecaf.store.records import RoundResult


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RunConfig(rounds=3), "The training images were selected by `vecaf` in 3 rounds."),
        (RunConfig(rounds=1), "The training images were selected by `vecaf` in 1 round."),
        (RunConfig(rounds=1, subset="mine"), "It was trained on the selection `mine`."),
        (
            RunConfig(rounds=2, subset="mine", strategy="margin"),
            "the selection `mine`, then on images selected by `margin` in 1 more round.",
        ),
        (RunConfig(strategy="badge"), "selected by `badge` (round 1: typiclust) in 3 rounds."),
        (RunConfig(strategy="badge", track=LABELS_KNOWN), "selected by `badge` in 3 rounds."),
        (
            RunConfig(strategy="margin", track=LABELS_KNOWN, head_init="zeros"),
            "selected by `margin` (round 1: typiclust) in 3 rounds.",
        ),
    ],
)
def test_the_card_describes_how_images_were_selected(config: RunConfig, words: str) -> None:
    rounds = [RoundResult(1, 6, 8, None, None, 1.0)]
    text = model_card("run", config, "shapes", None, ("a", "b"), rounds, "No ONNX.", False)
    assert words in text
    assert ("selected by" in text) == ("selected by" in words)


def test_missing_and_damaged_images_are_left_out_of_the_sheet(tmp_path: Path) -> None:
    paths = [path for path, _ in write_shapes(tmp_path, 3)]
    paths[0].unlink()
    paths[1].write_bytes(b"truncated")
    sheet = contact_sheet(paths)
    assert sheet is not None
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.size == (80, 80)  # one thumbnail
    assert contact_sheet(paths[:2]) is None
