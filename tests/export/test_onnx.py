"""The ONNX file says what torch says, for any number of images; a wrong one is not kept."""

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
    """An exported folder with its ONNX file, and the difference that was measured."""
    folder = tmp_path_factory.mktemp("exported")
    pvm = load_pvm("efficientnet_lite0", 64)
    torch.manual_seed(0)
    head = Head(torch.randn(pvm.feature_dim) * 0.01, 3)
    torch.nn.init.normal_(head.linear.weight)
    export_model(build_classifier(pvm, head), pvm, CLASSES, folder)
    return folder, onnx_export.export_onnx(folder)


@pytest.mark.parametrize("images", [1, 2, 7])
def test_it_gives_torchs_logits_for_any_batch(exported: tuple[Path, float], images: int) -> None:
    folder, difference = exported
    assert difference < 1e-4
    batch = np.random.default_rng(images).normal(size=(images, 3, 64, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(folder / ONNX))
    (found,) = session.run(["logits"], {"image": batch})
    model = Predictor.load(folder, "cpu").model
    with torch.inference_mode():
        expected = model(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_model_that_mixes_images_and_tokens_is_exported_for_any_batch(tmp_path: Path) -> None:
    """A fixed trace of a transformer does not hold for other batches: the second way takes over."""
    torch.manual_seed(0)
    weights = weights_of_timm(tmp_path, "test_vit")
    pvm = load_pvm(f"test_vit@{weights}")
    head = Head(torch.zeros(pvm.feature_dim), 3)
    torch.nn.init.normal_(head.linear.weight)
    export_model(build_classifier(pvm, head), pvm, CLASSES, tmp_path)
    assert onnx_export.export_onnx(tmp_path) < 1e-3


def test_it_names_its_classes_and_nobodys_folders(exported: tuple[Path, float]) -> None:
    path = exported[0] / ONNX
    assert onnx_export.labels_in(path) == CLASSES
    onnx.checker.check_model(str(path))
    here = str(Path(onnx_export.__file__).parents[2]).encode()
    assert here not in path.read_bytes()
    assert b"site-packages" not in path.read_bytes()


def run_alone(folder: Path, *arguments: str, encoding: str = "utf-8") -> tuple[int, str, str]:
    """Run the export's program as a person would who has the folder, and neither the studio nor
    torch: exit status, stdout and stderr."""
    (folder / "predict.py").write_bytes(STANDALONE.read_bytes())
    # -I keeps our packages out, and PYTHONIOENCODING too.
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
def test_a_fresh_process_predicts_from_the_files_alone(
    encoding: str, exported: tuple[Path, float], tmp_path: Path
) -> None:
    (image, _), *_ = write_shapes(tmp_path, 1)
    status, said, complaint = run_alone(exported[0], str(image), encoding=encoding)
    assert status == 0, complaint
    assert (CLASSES[2] in said) == (encoding == "utf-8")
    found = json.loads(said)["classes"]
    expected = Predictor.load(exported[0], "cpu").predict(image)
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, abs=1e-4)


def test_without_an_image_it_says_how_it_is_used(exported: tuple[Path, float]) -> None:
    status, said, complaint = run_alone(exported[0])
    assert (status, said) == (1, "")
    assert "python predict.py IMAGE" in complaint


def test_sixteen_bits_of_grey_are_read_as_the_studio_reads_them(
    exported: tuple[Path, float], tmp_path: Path
) -> None:
    ramp = np.linspace(0, 65535, 96 * 96).reshape(96, 96).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    how = json.loads((exported[0] / "config.json").read_text())["preprocessing"]
    found = standalone.prepare(tmp_path / "ramp.png", how)
    assert found.min() < -0.8 and found.max() > 0.8
    said = standalone.predict(tmp_path / "ramp.png", exported[0])
    own = Predictor.load(exported[0], "cpu").predict(tmp_path / "ramp.png")
    assert said == pytest.approx(own, abs=1e-4)


def test_a_file_that_differs_from_the_model_is_refused(exported: tuple[Path, float]) -> None:
    predictor = Predictor.load(exported[0], "cpu")
    with torch.no_grad():
        predictor.model.head.linear.weight[1] *= 1.5
    with pytest.raises(VecafError, match="does not reproduce the model"):
        onnx_export.check_onnx(predictor, exported[0] / ONNX)
    with torch.no_grad():
        predictor.model.head.linear.weight[1] *= float("nan")
    with pytest.raises(VecafError, match="does not reproduce the model"):
        onnx_export.check_onnx(predictor, exported[0] / ONNX)


def test_missing_packages_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "PACKAGES", ("onnx", "onnx_that_nobody_has"))
    with pytest.raises(UnavailableError, match="pip install onnx_that_nobody_has"):
        onnx_export.export_onnx(tmp_path)
    assert not list(tmp_path.iterdir())
