"""The shipped embeddings of ImageNet classes equal those of the text tower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vecaf.encoders import imagenet
from vecaf.encoders.text import TextTower
from vecaf.encoders.vlm import load_vlm


@pytest.fixture(scope="module")
def tower() -> TextTower:
    return load_vlm("embedded").text_tower


def test_the_shipped_file_is_used_and_equals_what_the_tower_computes(
    tower: TextTower, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = np.random.default_rng(0).choice(1000, 8, replace=False)
    computed = tower([imagenet.describe()[place] for place in some])
    monkeypatch.setattr(TextTower, "_embed", None)  # nothing may be computed
    shipped = imagenet.embed_classes(tower)
    assert shipped.shape == (1000, tower.dim)
    assert_allclose(shipped[some], computed, atol=1e-6)


def test_rows_of_other_sentences_or_of_another_tower_are_not_used(
    tower: TextTower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.safetensors"
    monkeypatch.setattr(imagenet, "describe", lambda: ["a photo of a dog"])
    imagenet.write(tower, file)
    assert_array_equal(imagenet.embed_classes(tower, file), tower(["a photo of a dog"]))
    monkeypatch.setattr(imagenet, "describe", lambda: ["a photo of a cat"])
    assert_array_equal(imagenet.embed_classes(tower, file), tower(["a photo of a cat"]))
    other = TextTower(tower._load, tower.dim, "another")
    imagenet.write(other, file)
    assert_array_equal(imagenet.embed_classes(other, file), other(["a photo of a cat"]))
    assert imagenet.embed_classes(tower, tmp_path / "none").shape == (1, tower.dim)
