"""Local files for open_clip's models: whose weights they hold and how images go in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.encoders.samples import settings_in, weights_of_open_clip
from vecaf.desk.gallery import Gallery
from vecaf.encoders import load_vlm
from vecaf.evaluation.layout import fit_basis


def gallery_of(name: str, home: Path) -> Gallery:
    """A gallery of no images."""
    none = np.empty((0, 32), np.float32)
    basis = fit_basis(np.eye(32, dtype=np.float32))
    return Gallery(settings_in(home), load_vlm(name), np.empty(0, np.int64), none, none, basis)


def test_a_file_that_took_anothers_place_is_read_anew(tmp_path: Path) -> None:
    rows = []
    for seed in (0, 1):
        architecture, path = weights_of_open_clip(tmp_path, seed)
        vlm = load_vlm(f"{architecture}@{path}")
        with torch.inference_mode():
            image = vlm.image_encoder.build()(torch.ones(1, 3, 64, 64)).numpy()
        typed = gallery_of(vlm.name, tmp_path).texts(["fog"])
        rows.append((image, vlm.embed_texts(["fog"]), typed))
    for before, after in zip(*rows, strict=True):
        assert np.abs(before - after).max() > 0.01
    assert np.array_equal(rows[1][1], rows[1][2])
