"""The ONNX file reproduces PyTorch for any batch size; an incorrect file is rejected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from tests.encoders.samples import weights_of_timm
from tests.shapes import write_shapes
from vecaf.encoders import load_pvm
from vecaf.errors import UnavailableError, VecafError
from vecaf.export import model_files, standalone
from vecaf.export import onnx as onnx_export
from vecaf.export.model_files import ONNX, STANDALONE
from vecaf.export.predictor import Predictor, export_model
from vecaf.training.model import Head, build_classifier

CLASSES = ["disc", "<b>square</b>", "gestreift ñ"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return an exported folder with its ONNX file, and the measured difference."""
    folder = tmp_path_factory.mktemp("exported")
    pvm = load_pvm("efficientnet_lite0", 64)
    torch.manual_seed(0)
    head = Head(torch.randn(pvm.feature_dim) * 0.01, 3)
    torch.nn.init.normal_(head.linear.weight)
    export_model(build_classifier(pvm, head), pvm, CLASSES, folder)
    return folder, onnx_export.export_onnx(folder)


@pytest.mark.parametrize("images", [1, 2, 7])
def test_the_logits_match_pytorch_for_any_batch_size(
    exported: tuple[Path, float], images: int
) -> None:
    folder, difference = exported
    assert difference < 1e-4
    batch = np.random.default_rng(images).normal(size=(images, 3, 64, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(folder / ONNX))
    (found,) = session.run(["logits"], {"image": batch})
    model = Predictor.load(folder, "cpu").model
    with torch.inference_mode():
        expected = model(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.soak  # the models in the package have no attention
def test_a_transformer_is_exported_for_any_batch_size(tmp_path: Path) -> None:
    """A trace with a fixed batch size fails the check, so a symbolic size is used."""
    torch.manual_seed(0)
    weights = weights_of_timm(tmp_path, "test_vit")
    pvm = load_pvm(f"test_vit@{weights}")
    head = Head(torch.zeros(pvm.feature_dim), 3)
    torch.nn.init.normal_(head.linear.weight)
    export_model(build_classifier(pvm, head), pvm, CLASSES, tmp_path)
    assert onnx_export.export_onnx(tmp_path) < 1e-3


def test_the_file_holds_class_names_and_no_local_paths(exported: tuple[Path, float]) -> None:
    path = exported[0] / ONNX
    metadata = {item.key: item.value for item in onnx.load(str(path)).metadata_props}
    assert json.loads(metadata["labels"]) == CLASSES
    onnx.checker.check_model(str(path))
    here = str(Path(onnx_export.__file__).parents[2]).encode()
    assert here not in path.read_bytes()
    assert b"site-packages" not in path.read_bytes()


def run_alone(folder: Path, *arguments: str, encoding: str = "utf-8") -> tuple[int, str, str]:
    """Run the exported predict.py without the studio and torch; return status, stdout, stderr."""
    (folder / "predict.py").write_bytes(STANDALONE.read_bytes())
    # -I hides the studio's packages, and also PYTHONIOENCODING.
    prelude = f"import sys; sys.stdout.reconfigure(encoding={encoding!r})"
    program = f"{prelude}; import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(folder / "predict.py"), *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        encoding=encoding,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_new_process_predicts_from_the_exported_files(
    encoding: str, exported: tuple[Path, float], tmp_path: Path
) -> None:
    (image, _), *_ = write_shapes(tmp_path, 1)
    status, out, error = run_alone(exported[0], str(image), encoding=encoding)
    assert status == 0, error
    assert (CLASSES[2] in out) == (encoding == "utf-8")
    found = json.loads(out)["classes"]
    expected = Predictor.load(exported[0], "cpu").predict(image)
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, abs=1e-4)


def test_without_arguments_the_usage_is_printed(exported: tuple[Path, float]) -> None:
    status, out, error = run_alone(exported[0])
    assert (status, out) == (1, "")
    assert "python predict.py IMAGE" in error


def test_16_bit_grayscale_is_read_as_in_the_studio(
    exported: tuple[Path, float], tmp_path: Path
) -> None:
    ramp = np.linspace(0, 65535, 96 * 96).reshape(96, 96).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    how = json.loads((exported[0] / "config.json").read_text())["preprocessing"]
    found = standalone.prepare(tmp_path / "ramp.png", how)
    assert found.min() < -0.8 and found.max() > 0.8
    standalone_result = standalone.predict(tmp_path / "ramp.png", exported[0])
    own = Predictor.load(exported[0], "cpu").predict(tmp_path / "ramp.png")
    assert standalone_result == pytest.approx(own, abs=1e-4)


def test_a_file_that_differs_from_the_model_is_rejected(exported: tuple[Path, float]) -> None:
    predictor = Predictor.load(exported[0], "cpu")
    with torch.no_grad():
        predictor.model.head.linear.weight[1] *= 1.5
    with pytest.raises(VecafError, match="does not reproduce the model"):
        onnx_export.check_onnx(predictor, exported[0] / ONNX)
    with torch.no_grad():
        predictor.model.head.linear.weight[1] *= float("nan")
    with pytest.raises(VecafError, match="does not reproduce the model"):
        onnx_export.check_onnx(predictor, exported[0] / ONNX)


def test_missing_packages_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "PACKAGES", ("onnx", "missing_onnx"))
    with pytest.raises(UnavailableError, match="pip install missing_onnx"):
        onnx_export.export_onnx(tmp_path)
    assert not list(tmp_path.iterdir())
