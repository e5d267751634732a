"""Converted models on disk: used by later processes, checked, and bounded in size."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.encoders.samples import settings_in, store_images
from vecaf.encoders import converted, embed, load_pvm
from vecaf.encoders.embed import embed_files
from vecaf.encoders.pvm import PVM

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="needs OpenVINO")


Embedding = Callable[[], Any]


def embedding_in(home: Path) -> Embedding:
    """Return a function that embeds three images as a new process would."""
    settings = settings_in(home)
    keys, path_of = store_images(home / "images", 3)
    paths = [path_of(key) for key in keys]
    pvm = load_pvm("efficientnet_lite0", 32)

    def compute() -> Any:
        embed._runtime.cache_clear()
        return embed_files(pvm, paths, settings)

    return compute


@pytest.fixture(scope="module")
def converted_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the model, which one embedding has converted."""
    home = tmp_path_factory.mktemp("converted")
    embedding_in(home)()
    return file_in(home)


@pytest.fixture
def embedding(tmp_path: Path, converted_file: Path) -> Embedding:
    """Return `embedding_in` a home that has the converted model."""
    folder = tmp_path / "embeddings" / converted.FOLDER
    folder.mkdir(parents=True)
    shutil.copy(converted_file, folder)
    return embedding_in(tmp_path)


def file_in(home: Path) -> Path:
    (path,) = (home / "embeddings" / converted.FOLDER).glob("*")
    return path


def forbid_building(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*given: Any) -> Any:
        raise AssertionError("the model is built again")

    monkeypatch.setattr(PVM, "build", build)


def test_a_converted_model_is_not_built_again(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedding()
    forbid_building(monkeypatch)
    assert np.array_equal(embedding(), first)


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "other features"])
def test_a_damaged_file_is_replaced(
    embedding: Embedding, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedding()
    path = file_in(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with np.load(path) as parts:
            changed = {**parts, "expected": parts["expected"] + 1}
        np.savez(path, **changed)
    assert np.array_equal(embedding(), first)
    forbid_building(monkeypatch)
    assert np.array_equal(embedding(), first)


def test_the_least_recently_used_files_are_deleted(
    embedding: Embedding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_in(tmp_path)
    monkeypatch.setattr(converted, "MAX_BYTES", int(2.5 * path.stat().st_size))
    old = path.with_name("old.npz")
    old.write_bytes(bytes(2 * path.stat().st_size))
    path.unlink()
    embedding()
    assert file_in(tmp_path).name == path.name
