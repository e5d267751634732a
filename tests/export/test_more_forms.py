"""Exports for timm and in 8-bit integers, loaded by timm and OpenVINO themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from tests.finished import finish_run, new_studio
from vecaf.encoders.openvino_import import load_openvino
from vecaf.errors import InputError, UnavailableError
from vecaf.export import int8
from vecaf.export.bundle import export_run
from vecaf.export.inputs import inputs_of
from vecaf.export.more_forms import check_forms
from vecaf.export.predictor import Predictor
from vecaf.export.timm_folder import linear_classifier
from vecaf.training.model import Head

CLASSES = ["disc", "square", "stripes"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """Return an export in all forms, and image files."""
    home = tmp_path_factory.mktemp("home")
    store = new_studio(home, count=60)
    run_id = finish_run(store)
    folder = tmp_path_factory.mktemp("exports") / "exported"
    export_run(store, store.owner(), run_id, folder, ("timm", "int8"))
    store.close()
    return folder, sorted((home / "drawn").rglob("*.png"))


@pytest.mark.soak
def test_timm_loads_the_model(exported: tuple[Path, list[Path]]) -> None:
    folder, images = exported
    name = f"local-dir:{folder / 'timm'}"
    model: Any = timm.create_model(name, pretrained=True).eval()
    assert (model.num_classes, list(model.pretrained_cfg["label_names"])) == (3, CLASSES)
    predictor = Predictor.load(folder, "cpu")
    data: Any = timm.data
    config = data.resolve_model_data_config(model)
    stored = predictor.preprocessing
    side = stored.image_size
    assert config["input_size"] == (3, side, side)
    assert (*config["mean"], *config["std"]) == (*stored.mean, *stored.std)
    assert (config["crop_pct"], config["interpolation"]) == (stored.crop, stored.interpolation)
    transform = data.create_transform(**config, is_training=False)
    ours = inputs_of(images, stored)
    with Image.open(images[0]) as image:
        seen = transform(image.convert("RGB")).numpy()
    assert float(np.abs(seen - ours[0]).mean()) < 0.1  # timm rounds the crop to whole pixels
    batch = torch.from_numpy(ours)
    backbone = timm.create_model(name, pretrained=True, num_classes=0).eval()
    with torch.inference_mode():
        torch.testing.assert_close(backbone(batch), predictor.model.backbone(batch))
        same = model(batch).argmax(dim=1) == predictor.model(batch).argmax(dim=1)
    assert float(same.float().mean()) >= 0.9


def test_openvino_runs_float32_and_int8(exported: tuple[Path, list[Path]]) -> None:
    folder, images = exported
    predictor = Predictor.load(folder, "cpu")
    batch = inputs_of(images, predictor.preprocessing)
    with torch.inference_mode():
        wanted = predictor.model(torch.from_numpy(batch)).numpy()
    core, exact = load_openvino().Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(folder / "model.onnx", "CPU", exact)({"image": batch})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    small = core.compile_model(folder / int8.INT8, "CPU", exact)({"image": batch})[0]
    assert (small.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= 0.9
    weights = (folder / "model-int8.bin").stat().st_size
    assert weights < 0.4 * (folder / "model.safetensors").stat().st_size


def test_the_card_has_accuracy_and_speed(exported: tuple[Path, list[Path]]) -> None:
    card = (exported[0] / "README.md").read_text()
    rows = [line.split("|")[1:-1] for line in card.splitlines() if line.startswith("| O")]
    names = [row[0].strip() for row in rows]
    assert names == ["ONNX Runtime", "OpenVINO float32", "OpenVINO int8"]
    assert all(row[1].strip().endswith("%") and float(row[2].replace(",", "")) > 0 for row in rows)
    assert rows[0][1] == rows[1][1]
    assert "timm.create_model" in card and "both predict the same class for" in card
    receipt = (exported[0] / "receipt.json").read_text()
    assert "timm/model.safetensors" in receipt and int8.INT8 in receipt


def test_the_linear_classifier_is_exact_for_features_of_one_length() -> None:
    draws = np.random.default_rng(0)
    mean = draws.normal(size=16)
    features = draws.normal(size=(500, 16)) * 0.01 + mean  # their lengths hardly differ
    head = Head(torch.from_numpy(mean / np.linalg.norm(mean) * 0.5).float(), 4)
    torch.nn.init.normal_(head.linear.weight)
    torch.nn.init.normal_(head.linear.bias)
    with torch.inference_mode():
        logits = head(head.center(torch.from_numpy(features).float())).numpy()
    weight, bias = linear_classifier(head, features[:250].astype(np.float32), logits[:250])
    np.testing.assert_allclose(features[250:] @ weight.T + bias, logits[250:], atol=2e-3)


def test_unknown_forms_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="Choose from: timm, int8"):
        check_forms(["pickle"])
    monkeypatch.setattr(int8, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"pip install '\.\[int8\]'"):
        check_forms(["int8"])
