"""Importing public datasets with torchvision; only the network is replaced."""

from __future__ import annotations

import pickle
import tarfile
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg
from vecaf.datasets import public
from vecaf.datasets.public import PUBLIC, import_public
from vecaf.datasets.sources import checked_source, import_source
from vecaf.errors import CanceledError, InputError, UnavailableError
from vecaf.store import Dataset, Store

torchvision = pytest.importorskip("torchvision")


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "check_reachable", lambda site, key: None)


def test_every_name_is_a_class_of_torchvision_with_these_arguments() -> None:
    import inspect

    for key, one in PUBLIC.items():
        signature = inspect.signature(getattr(torchvision.datasets, key))
        for arguments in one.splits.values():
            signature.bind(root="x", download=True, **arguments)
        assert httpx.URL(one.site).host


@pytest.mark.usefixtures("reachable")
def test_image_files_are_unchanged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """OxfordIIITPet reads the files from where its download would have extracted them."""

    def downloaded(self: Any) -> None:
        images, notes = self._images_folder, self._anns_folder
        images.mkdir(parents=True, exist_ok=True)
        notes.mkdir(parents=True, exist_ok=True)
        for split, first in (("trainval", 0), ("test", 10)):
            lines = []
            for i in range(6):
                name = f"{('Beagle', 'great_dane')[i % 2]}_{first + i}"
                (images / f"{name}.jpg").write_bytes(jpeg(first + i))
                lines.append(f"{name} {i % 2 + 1} 1 1")
            (notes / f"{split}.txt").write_text("\n".join(lines))

    monkeypatch.setattr(torchvision.datasets.OxfordIIITPet, "_download", downloaded)
    stages: list[str] = []
    report = import_public(
        store, "OxfordIIITPet", "pets", progress=lambda stage, done, total: stages.append(stage)
    )
    assert report.refused_count == 0
    assert report.splits["test"] == 6
    assert set(report.classes) == {"Beagle", "Great Dane"}
    assert "Checking images" in stages
    names = {one.file_name for one in samples(store, "pets")}
    assert "test/Great Dane/great_dane_11.jpg" in names
    with store.read() as session:
        assert "CC BY-SA" in (session.get_one(Dataset, report.dataset_id).attribution or "")
    assert not list(store.settings.uploads.glob("public-*"))


@pytest.mark.usefixtures("reachable")
def test_arrays_become_lossless_images(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 3072), dtype=np.uint8)

    def downloaded(self: Any) -> None:
        folder = Path(self.root) / self.base_folder
        folder.mkdir(parents=True, exist_ok=True)
        names = [name for name, _ in self.train_list + self.test_list]
        for i, name in enumerate(names):
            rows = {"data": pixels[2 * i : 2 * i + 2], "labels": [i % 2, 2]}
            (folder / name).write_bytes(pickle.dumps(rows))
        classes = {"label_names": ["plane", "car", "bird"]}
        (folder / "batches.meta").write_bytes(pickle.dumps(classes))

    cifar = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar, "download", downloaded)
    monkeypatch.setattr(cifar, "_check_integrity", lambda self: True)
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda path, md5: True)
    report = import_source(store, "torchvision:CIFAR10", "small")
    assert (report.images, report.splits["test"]) == (12, 2)
    first = samples(store, "small")[0]
    from vecaf.datasets.pool import image_path

    found = np.asarray(Image.open(image_path(store.settings.images, first.sha256, ".png")))
    whole = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert any(np.array_equal(found, one) for one in whole)


@pytest.mark.usefixtures("reachable")
def test_a_damaged_download_is_reported_and_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, nothing_imported: Any
) -> None:
    """torchvision finds the wrong checksum before it reads a pickle file."""
    evil = store.settings.home / "evil"

    def downloaded(url: str, filename: str, chunk_size: int = 0) -> None:
        with tarfile.open(filename, "w:gz") as archive:
            evil.write_text("not an archive of theirs")
            archive.add(evil, "cifar-10-batches-py/data_batch_1")

    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", downloaded)
    monkeypatch.setattr(torchvision.datasets.utils, "_get_redirect_url", lambda url, max_hops: url)
    with pytest.raises(UnavailableError, match="The download of CIFAR10 failed"):
        import_public(store, "CIFAR10", "x")
    nothing_imported()


@pytest.mark.usefixtures("reachable")
def test_a_download_can_be_canceled(
    store: Store, monkeypatch: pytest.MonkeyPatch, nothing_imported: Any
) -> None:
    released, ended = threading.Event(), threading.Event()

    def download(self: object) -> None:
        released.wait()
        ended.set()

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", download)
    with pytest.raises(CanceledError):
        import_public(store, "CIFAR10", "x", should_stop=lambda: True)
    assert not ended.is_set()  # canceling did not wait for the download
    released.set()
    nothing_imported()


def test_a_missing_network_is_reported_within_seconds(
    store: Store, monkeypatch: pytest.MonkeyPatch, nothing_imported: Any
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(httpx, "head", refuse)
    with pytest.raises(UnavailableError, match=r"www\.cs\.toronto\.edu does not answer.*upload it"):
        import_public(store, "CIFAR10", "x")
    nothing_imported()


def test_an_unknown_name_lists_the_public_datasets(store: Store) -> None:
    with pytest.raises(InputError, match="Choose one of: CIFAR10"):
        checked_source("torchvision:ImageNet", store.settings)
