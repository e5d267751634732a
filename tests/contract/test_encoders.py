"""The contract of encoders, for registered names and all other kinds of names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders.samples import (
    Stored,
    settings_in,
    store_images,
    weights_of_open_clip,
    weights_of_timm,
)
from vecaf.encoders import PVMS, VLMS, ImageEncoder, embed_images, load_pvm, load_vlm
from vecaf.encoders.preprocessing import decode, pixels
from vecaf.encoders.runtime import compile_encoder, encode_files
from vecaf.encoders.views import MIRROR, TWO_SIZES

SIZE = 96
PVM_KINDS = [*PVMS, "convolutional file", "transformer file"]
VLM_KINDS = [*VLMS, "open_clip file"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def stored(home: Path) -> Stored:
    return store_images(home / "images", 11)


def pvm_name(kind: str, home: Path) -> str:
    if not kind.endswith("file"):
        return kind
    name = {"convolutional file": "test_resnet", "transformer file": "test_vit"}[kind]
    return f"{name}@{weights_of_timm(home / 'weights', name)}"


def vlm_name(kind: str, home: Path) -> str:
    if kind != "open_clip file":
        return kind
    name, path = weights_of_open_clip(home / "weights")
    return f"{name}@{path}"


def check_images(encoder: ImageEncoder, stored: Stored, home: Path) -> None:
    """Shape and dtype; rows equal eager PyTorch's and don't depend on the batch size."""
    keys, path_of = stored
    rows = embed_images(encoder, keys, path_of, settings=settings_in(home))
    assert rows.shape == (len(keys), encoder.feature_dim)
    assert rows.dtype == np.float32 and rows.flags.c_contiguous
    assert np.isfinite(rows).all()
    assert np.abs(rows[:, None] - rows[None]).max(axis=2)[np.triu_indices(len(rows), 1)].min() > 0

    p = encoder.preprocessing
    images = np.stack([pixels(decode(path_of(key)), p) for key in keys])
    x = torch.from_numpy(images.transpose(0, 3, 1, 2) / np.float32(255))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (p.mean, p.std))
    with torch.inference_mode():
        plain = encoder.build().eval()((x - mean) / std).numpy()
    scale = np.abs(plain).max()
    assert np.abs(rows - plain).max() / scale < 1e-4

    paths = [path_of(key) for key in keys]
    for backend, batch_size in (("eager", 4), ("openvino", 3)):
        runtime = compile_encoder(encoder.build(), p, backend=backend, batch_size=batch_size)
        assert runtime.backend == backend  # nothing fell back to eager
        again = np.concatenate([part for _, part in encode_files(runtime, paths, p)])
        assert np.abs(again - plain).max() / scale < 1e-4


@pytest.mark.parametrize("kind", PVM_KINDS)
def test_pvm(kind: str, home: Path, stored: Stored) -> None:
    pvm = load_pvm(pvm_name(kind, home), SIZE)
    assert pvm.preprocessing.image_size == SIZE
    check_images(pvm, stored, home)


@pytest.mark.soak  # tests/encoders/test_views.py checks the features of both
@pytest.mark.parametrize("views", [MIRROR, TWO_SIZES])
def test_pvm_with_views(views: str, home: Path, stored: Stored) -> None:
    check_images(load_pvm("efficientnet_lite0", SIZE).at_views(views), stored, home)


@pytest.mark.parametrize("kind", PVM_KINDS)
def test_pvm_builds_a_trainable_backbone(kind: str, home: Path) -> None:
    pvm = load_pvm(pvm_name(kind, home), SIZE)
    x = torch.randn(2, 3, SIZE, SIZE)
    backbone = pvm.build()
    features = backbone(x)
    assert features.shape == (2, pvm.feature_dim)
    features.sum().backward()
    assert all(p.grad is not None for p in backbone.parameters() if p.requires_grad)
    weight, bias = pvm.classifier()
    assert weight.shape == (pvm.num_classes, pvm.feature_dim)
    with torch.inference_mode():
        logits = pvm.build(None)(x)
        expected = features.detach().numpy() @ weight.T + bias
        assert np.allclose(logits.numpy(), expected, atol=1e-3)
        assert not pvm.build(7)(x).any()  # a new head has zero weights


@pytest.mark.parametrize("kind", VLM_KINDS)
def test_vlm(kind: str, home: Path, stored: Stored) -> None:
    vlm = load_vlm(vlm_name(kind, home), image_size=SIZE if kind in VLMS else None)
    check_images(vlm.image_encoder, stored, home)
    keys, path_of = stored
    images = vlm.embed_images(keys, path_of, settings=settings_in(home))
    assert images.shape == (len(keys), vlm.embed_dim)
    assert images.dtype == np.float32
    assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)

    texts = ["a dog", "a photo of a red car in the fog", "", "a dog", "x " * 400]
    rows = vlm.embed_texts(texts)
    assert rows.shape == (len(texts), vlm.embed_dim)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.array_equal(rows[0], rows[3])
    fresh = load_vlm(vlm_name(kind, home))
    alone = np.concatenate([fresh.embed_texts([text]) for text in texts])
    assert np.allclose(alone, rows, atol=1e-5)  # other rows of the batch have no effect
    assert fresh.embed_texts([]).shape == (0, vlm.embed_dim)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", PVM_KINDS)
def test_cuda_gives_the_rows_of_the_cpu(kind: str, home: Path, stored: Stored) -> None:
    pvm = load_pvm(pvm_name(kind, home), SIZE)
    paths = [stored[1](key) for key in stored[0]]

    def rows(**options: str) -> np.ndarray:
        runtime = compile_encoder(pvm.build(), pvm.preprocessing, **options)  # type: ignore[arg-type]
        return np.concatenate([p for _, p in encode_files(runtime, paths, pvm.preprocessing)])

    plain = rows(backend="eager")
    exact, fast = rows(device="cuda:0"), rows(device="cuda:0", precision="bfloat16")
    assert np.abs(exact - plain).max() / np.abs(plain).max() < 1e-4
    assert np.abs(fast - plain).max() / np.abs(plain).max() < 0.1
