"""The list of models, and folders of weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.encoders.samples import weights_of_timm
from vecaf.encoders import list_models, load_pvm
from vecaf.encoders.catalog import FROM_THE_HUB, INSTALLED
from vecaf.encoders.vision_models import PVMS
from vecaf.encoders.vlm import VLMS
from vecaf.errors import UnavailableError


def test_every_registered_model_has_its_facts() -> None:
    assert set(INSTALLED) == {*PVMS, *VLMS}


def test_the_list_states_the_facts_of_timm_and_open_clip() -> None:
    import open_clip
    import timm

    for one in FROM_THE_HUB:
        if one.kind == "VLM":
            architecture, tag = one.name.split("/")
            published = open_clip.get_pretrained_cfg(architecture, tag)
            size = open_clip.get_model_config(architecture)["vision_cfg"]["image_size"]
            assert (published["hf_hub"].strip("/"), size) == (one.repository, one.image_size)
            continue
        config = timm.get_pretrained_cfg(one.name, allow_unregistered=False)
        assert config is not None and config.hf_hub_id == one.repository
        assert config.input_size == (3, one.image_size, one.image_size)
        assert (
            str(config.license).replace("-", " ").lower() == one.license.replace("-", " ").lower()
        )
        with torch.device("meta"):
            model: Any = timm.create_model(one.name, num_classes=0)
        count = sum(parameter.numel() for parameter in model.parameters())
        assert round(count / 1e6, 1) == one.parameters
        assert getattr(model, "head_hidden_size", model.num_features) == one.feature_dim


def test_weights_in_a_folder_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "VECAF_WEIGHTS", os.pathsep.join(["", str(tmp_path / "none"), str(tmp_path)])
    )
    with pytest.raises(UnavailableError, match="VECAF_WEIGHTS"):
        load_pvm("resnet18")
    weights = weights_of_timm(tmp_path, "resnet18")
    weights.rename(tmp_path / "resnet18.a1_in1k.safetensors")
    assert load_pvm("resnet18").weights == tmp_path / "resnet18.a1_in1k.safetensors"
    (tmp_path / "resnet50.a1_in1k").mkdir()
    (tmp_path / "resnet50.a1_in1k" / "model.safetensors").write_bytes(b"")
    assert [m.name for m in list_models() if m.available][-1] == "resnet50.a1_in1k"
