"""Views of an image: their features, their cache key, and their way into exported models."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import onnxruntime
import pytest
import torch

from tests.encoders.samples import settings_in, weights_of_timm
from vecaf.datasets.pool import Samples
from vecaf.encoders import PVM, ImageEncoder, fingerprint, load_pvm
from vecaf.encoders.dataset_vlm import DatasetVLM
from vecaf.encoders.views import FEATURE_SETS, MIRROR, PLAIN, TWO_SIZES, smaller_side
from vecaf.export.model_files import ONNX
from vecaf.export.onnx import export_onnx
from vecaf.export.predictor import Predictor, export_model
from vecaf.training.model import Head, build_classifier

SIZE = 64


@pytest.fixture(scope="module")
def pvm(tmp_path_factory: pytest.TempPathFactory) -> PVM:
    weights = weights_of_timm(tmp_path_factory.mktemp("weights"), "test_resnet")
    return load_pvm(f"test_resnet@{weights}", SIZE)


def features(pvm: PVM, images: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        rows: np.ndarray = pvm.build()(images).numpy()
    assert rows.shape == (len(images), pvm.feature_dim)
    return rows


def images(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_an_image_and_its_mirror_image_have_the_same_mirror_features(pvm: PVM) -> None:
    both = pvm.at_views(MIRROR)
    np.testing.assert_allclose(
        features(both, images()), features(both, images().flip(3)), atol=1e-5
    )
    mean = (features(pvm, images()) + features(pvm, images().flip(3))) / 2
    np.testing.assert_allclose(features(both, images()), mean, atol=1e-5)


def test_two_sizes_have_equal_weight(pvm: PVM) -> None:
    both = pvm.at_views(TWO_SIZES)
    assert both.feature_dim == 2 * pvm.feature_dim
    large, small = np.split(features(both, images()), 2, axis=1)
    np.testing.assert_allclose(np.linalg.norm(large, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(small, axis=1), 1, atol=1e-5)
    plain = features(pvm, images())
    np.testing.assert_allclose(large * np.linalg.norm(plain, axis=1)[:, None], plain, atol=1e-4)
    assert [smaller_side(size) for size in (32, 96, 160, 224)] == [32, 64, 96, 128]


def test_each_kind_of_views_has_its_own_embedding_set(pvm: PVM) -> None:
    assert len({fingerprint(pvm.at_views(views)) for views in FEATURE_SETS}) == 3
    assert pvm.at_views(TWO_SIZES).at_views(MIRROR).at_views(PLAIN) == pvm
    assert "views" not in pvm.preprocessing.as_dict()  # sets of earlier versions stay valid


def test_the_installed_vlm_shares_the_features_of_its_own_network(tmp_path: Path) -> None:
    samples = cast(Samples, SimpleNamespace(short_sides=np.full(3, 227)))

    def encoder_for(pvm: PVM) -> ImageEncoder:
        return DatasetVLM("embedded", samples, pvm, settings_in(tmp_path)).vlm.image_encoder

    plain = load_pvm("efficientnet_lite0", SIZE)
    for pvm in (plain, plain.at_views(MIRROR)):
        assert encoder_for(pvm) == pvm
    assert encoder_for(plain.at_views(TWO_SIZES)) == plain
    # Another network shares nothing, so the VLM uses the size of the dataset's map.
    assert encoder_for(load_pvm("efficientnet_lite2", SIZE)) == load_pvm("efficientnet_lite0")


@pytest.mark.parametrize("views", [MIRROR, pytest.param(TWO_SIZES, marks=pytest.mark.soak)])
def test_an_exported_model_predicts_from_the_same_views(
    views: str, pvm: PVM, tmp_path: Path
) -> None:
    pvm = pvm.at_views(views)
    torch.manual_seed(0)
    head = Head(torch.randn(pvm.feature_dim) * 0.01, 3)
    torch.nn.init.normal_(head.linear.weight)
    classifier = build_classifier(pvm, head)
    export_model(classifier, pvm, ["a", "b", "c"], tmp_path)
    predictor = Predictor.load(tmp_path, "cpu")
    with torch.inference_mode():
        expected = classifier(images()).numpy()
        np.testing.assert_allclose(predictor.model(images()).numpy(), expected, atol=1e-5)
    assert predictor.preprocessing == pvm.preprocessing
    assert export_onnx(tmp_path) < 1e-3
    session = onnxruntime.InferenceSession(str(tmp_path / ONNX))
    (found,) = session.run(["logits"], {"image": images().numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-3)
