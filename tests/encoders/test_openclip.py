"""Local files of open_clip models: weights and preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders.samples import settings_in, weights_of_open_clip
from vecaf.arrays.principal_components import fit_basis
from vecaf.encoders import load_vlm
from vecaf.encoders.cache import index_of as index_of_shards
from vecaf.encoders.mapped_features import MappedFeatures
from vecaf.encoders.openclip import load
from vecaf.errors import InputError, UnavailableError
from vecaf.inference.image_index import ImageIndex


def index_of(name: str, home: Path) -> ImageIndex:
    """A gallery of no images."""
    none = np.empty((0, 32), np.float32)
    basis = fit_basis(np.eye(32, dtype=np.float32))
    keys, rows = np.empty(0, "S32"), np.empty(0, np.int64)
    features = MappedFeatures.of(index_of_shards([]), keys, none, rows)
    return ImageIndex(settings_in(home), load_vlm(name), rows, none, none, basis, features)


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    rows = []
    for seed in (0, 1):
        architecture, path = weights_of_open_clip(tmp_path, seed)
        vlm = load_vlm(f"{architecture}@{path}")
        with torch.inference_mode():
            image = vlm.image_encoder.build()(torch.ones(1, 3, 64, 64)).numpy()
        typed = index_of(vlm.name, tmp_path).embed_texts(["fog"])
        rows.append((image, vlm.embed_texts(["fog"]), typed))
    for before, after in zip(*rows, strict=True):
        assert np.abs(before - after).max() > 0.01
    assert np.array_equal(rows[1][1], rows[1][2])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Create an empty weights file. It is not read until a tower is built."""
    path = tmp_path / "a@b.safetensors"
    path.touch()
    return path


def test_a_file_of_published_weights_uses_their_activation(path: Path) -> None:
    assert load(f"ViT-B-32/openai@{path}").architecture == "ViT-B-32-quickgelu"
    assert load(f"ViT-B-32/laion2b_s34b_b79k@{path}").architecture == "ViT-B-32"
    tower = load(f"ViT-L-14/laion2b_s32b_b82k@{path}")
    assert (tower.weights, tower.preprocessing.mean) == (path, (0.5, 0.5, 0.5))
    with pytest.raises(InputError, match=r"no weights called 'opnai'\. Choose ViT-B-32/openai"):
        load(f"ViT-B-32/opnai@{path}")


def test_a_file_alone_uses_the_common_preprocessing(path: Path) -> None:
    agreed = load(f"PE-Core-S-16-384@{path}").preprocessing
    assert (agreed.mean, agreed.interpolation, agreed.squash) == ((0.5,) * 3, "bilinear", True)
    disputed = load(f"ViT-L-14@{path}").preprocessing  # one of its pretrained tags uses 0.5
    assert disputed.mean[0] == pytest.approx(0.48145466)
    assert not disputed.squash


def test_the_advice_to_use_a_file_works(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("vecaf.encoders.weights.in_hub_cache", lambda *_: None)
    advice = r"choose ViT-B-32/openai@/path/to/open_clip_model\.safetensors"
    with pytest.raises(UnavailableError, match=advice):
        load("ViT-B-32/openai")
    unpublished = {"hf_hub": "", "quick_gelu": True}
    monkeypatch.setattr("open_clip.get_pretrained_cfg", lambda *_: unpublished)
    with pytest.raises(UnavailableError, match="choose ViT-B-32/openai@/path/to/file"):
        load("ViT-B-32/openai")
    assert load(f"ViT-B-32/openai@{path}").architecture == "ViT-B-32-quickgelu"


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.parametrize("architecture", ["ViT-B-16-SigLIP", "roberta-ViT-B-32"])
def test_a_missing_text_tower_is_reported_soon(architecture: str, path: Path, no_hub: None) -> None:
    with pytest.raises(UnavailableError, match="Connect to the Hugging Face Hub once"):
        load(f"{architecture}@{path}")


@pytest.mark.parametrize("name", ["hf-hub:org/model", "local-dir:/tmp/x", "local-dir:/tmp/x@file"])
def test_names_that_open_clip_would_look_up_itself(name: str, no_hub: None) -> None:
    with pytest.raises(InputError, match=r"can.t be loaded from '.*:.*Use ARCHITECTURE/PRETRAINED"):
        load_vlm(name)


@pytest.mark.parametrize("part", ["get_tokenizer", "create_model"])
@pytest.mark.parametrize("error", [OSError, ValueError])
def test_an_unreadable_part_is_reported(
    part: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture, path = weights_of_open_clip(tmp_path, seed=2)

    def fail(*_: object, **__: object) -> None:
        raise error("no")

    monkeypatch.setattr(f"open_clip.{part}", fail)
    with pytest.raises(UnavailableError, match=f"{architecture} can't be read"):
        load_vlm(f"{architecture}@{path}").embed_texts(["fog"])


def test_an_unknown_home_folder_is_reported() -> None:
    with pytest.raises(InputError, match="no home folder for ~nobody0/a"):
        load("ViT-B-32@~nobody0/a.safetensors")
