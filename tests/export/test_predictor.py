"""Exported models can be loaded; damaged files give a clear error."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from tests.shapes import write_shapes
from vecaf.encoders import load_pvm
from vecaf.errors import InputError
from vecaf.export.model_files import CONFIG, LABELS, WEIGHTS
from vecaf.export.predictor import Predictor, export_model
from vecaf.training.model import Head, build_classifier


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    pvm = load_pvm("efficientnet_lite0", 64)
    torch.manual_seed(0)
    head = Head(torch.randn(pvm.feature_dim) * 0.01, 3)
    torch.nn.init.normal_(head.linear.weight)
    export_model(build_classifier(pvm, head), pvm, ["disc", "<b>square</b>", "stripes"], folder)
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_loaded_model_gives_the_same_predictions(exported: Path, tmp_path: Path) -> None:
    (image, _), *_ = write_shapes(tmp_path, 1)
    predictor = Predictor.load(exported, "cpu")
    shares = predictor.predict(image)
    assert set(shares) == {"disc", "<b>square</b>", "stripes"}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    again = Predictor.load(exported, "cpu").predict(image)
    assert again == shares


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, LABELS])
def test_a_missing_or_truncated_file_is_named(name: str, copy: Path) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=name):
        Predictor.load(copy, "cpu")
    (copy / name).unlink()
    with pytest.raises(InputError, match=name):
        Predictor.load(copy, "cpu")


def test_weights_of_another_model_are_refused(copy: Path) -> None:
    (copy / LABELS).write_text(json.dumps(["two", "classes"]))
    with pytest.raises(InputError, match="does not match"):
        Predictor.load(copy, "cpu")


def test_a_newer_format_is_refused(copy: Path) -> None:
    config = json.loads((copy / CONFIG).read_text())
    (copy / CONFIG).write_text(json.dumps(config | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        Predictor.load(copy, "cpu")


class Canary:
    """An object that writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.path,))  # type: ignore[return-value]


def test_a_pickle_is_never_opened(copy: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (copy / WEIGHTS).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(InputError, match=WEIGHTS):
        Predictor.load(copy, "cpu")
    assert not canary.exists()
