"""Embed images once: cached rows are read, and only missing ones are computed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from vecaf.encoders import backends
from vecaf.encoders.cache import Digests, EmbeddingSet, Index, digests_of, fill, gather
from vecaf.encoders.converted import FOLDER as CONVERTED
from vecaf.encoders.converted import ConvertedModels
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.runtime import (
    OPENVINO_BATCH,
    Progress,
    Runtime,
    backend_for,
    choose_device,
    compile_encoder,
    effective_precision,
    encode_files,
)
from vecaf.settings import Settings

if TYPE_CHECKING:
    from torch import nn

PIXELS_VERSION = 1  # increase it when `preprocessing` computes different pixels
log = logging.getLogger(__name__)

ROWS_PER_SHARD = 2048  # 10 MB at d = 1280: a killed process loses at most this


class ImageEncoder(Protocol):
    """A PVM, or the image tower of a VLM. Hashable."""

    @property
    def name(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def preprocessing(self) -> Preprocessing: ...
    @property
    def feature_dim(self) -> int: ...
    def build(self) -> nn.Module: ...
    def __hash__(self) -> int: ...


def facts(encoder: ImageEncoder, precision: str) -> dict[str, object]:
    """Return everything that an embedding depends on."""
    return {
        "architecture": encoder.architecture,
        "weights_sha256": encoder.weights_sha256,
        "preprocessing": encoder.preprocessing.as_dict(),
        "pixels_version": PIXELS_VERSION,
        "precision": precision,
        "feature_dim": encoder.feature_dim,
    }


def fingerprint(encoder: ImageEncoder, precision: str = "float32") -> str:
    """Return the SHA-256 that names an embedding set; precision is float32 or bfloat16."""
    text = json.dumps(facts(encoder, precision), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def set_facts(encoder: ImageEncoder, settings: Settings) -> tuple[str, dict[str, object]]:
    """Return fingerprint and facts of the embedding set that `embed_images` uses."""
    device = choose_device(settings.device) if settings.precision == "fast" else settings.device
    precision = effective_precision(settings.precision, device)
    named = {"name": encoder.name, **facts(encoder, precision)}
    return fingerprint(encoder, precision), named


def embed_images(
    encoder: ImageEncoder,
    keys: Sequence[str],
    path_of: Callable[[str], Path],
    *,
    settings: Settings,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> npt.NDArray[np.float32]:
    """Compute features of images, or read them from the cache.

    Equal images are computed once. Computed rows are cached, also if the call ends early.

    Parameters
    ----------
    encoder
        The encoder.
    keys
        SHA-256 of each image's content, hexadecimal, n entries.
    path_of
        Returns the file of a key.
    settings
        Folder of the cache, device and precision.
    progress
        Called with the number of finished images and of all images to compute.
    should_stop
        Returns whether to cancel; called after every batch.

    Returns
    -------
    float32 array of shape (n, d)

    Raises
    ------
    CanceledError
        If `should_stop` returns True.
    InputError
        For an invalid key or an unreadable image.
    UnavailableError
        For a missing device or a full disk.
    """
    wanted = digests_of(keys)
    if not len(wanted):
        return np.empty((0, encoder.feature_dim), np.float32)
    index = _embedding_set(encoder, settings).index()
    missing = _missing(index, wanted)
    if len(missing):
        prepare_set(encoder, settings)
        encode_missing(
            encoder,
            wanted[missing],
            [path_of(keys[i]) for i in missing],
            images=len(wanted),
            settings=settings,
            progress=progress,
            should_stop=should_stop,
        )
        index = _embedding_set(encoder, settings).index()
    return gather(index, wanted)


def missing_images(
    encoder: ImageEncoder,
    keys: Sequence[str],
    path_of: Callable[[str], Path],
    settings: Settings,
) -> tuple[Digests, list[Path]]:
    """Return keys and files of the distinct images that `embed_images` would compute."""
    wanted = digests_of(keys)
    missing = _missing(_embedding_set(encoder, settings).index(), wanted)
    return wanted[missing], [path_of(keys[i]) for i in missing]


def prepare_set(encoder: ImageEncoder, settings: Settings) -> None:
    """Create the embedding set of an encoder, and delete what dead processes left there."""
    store = _embedding_set(encoder, settings)
    store.describe(set_facts(encoder, settings)[1])
    store.remove_leftovers()


def encode_missing(
    encoder: ImageEncoder,
    missing: Digests,
    paths: Sequence[Path],
    *,
    images: int,
    settings: Settings,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    threads: int = 0,
) -> None:
    """Compute features of images and add them to a set that `prepare_set` has created.

    Parameters
    ----------
    encoder, settings, progress, should_stop
        As in `embed_images`, which also lists the exceptions.
    missing, paths
        Keys and files of the images.
    images
        Number of images of the whole request. It chooses the backend, not the number of missing
        ones: resuming gives the same features.
    threads
        Threads of the encoder on a CPU; 0 = all cores.
    """
    _, about = set_facts(encoder, settings)
    device, precision = choose_device(settings.device), str(about["precision"])
    exact = precision == "float32"
    backend = backend_for(images, encoder.preprocessing, device) if exact else None
    runtime = _runtime(encoder, device, precision, settings.embeddings, backend, threads)
    batches = encode_files(
        runtime, paths, encoder.preprocessing, progress=progress, should_stop=should_stop
    )
    fill(_embedding_set(encoder, settings), missing, batches, ROWS_PER_SHARD)


def _embedding_set(encoder: ImageEncoder, settings: Settings) -> EmbeddingSet:
    name, _ = set_facts(encoder, settings)
    return EmbeddingSet(settings.embeddings / name[:16], encoder.feature_dim)


def _missing(index: Index, wanted: Digests) -> npt.NDArray[np.int64]:
    """Return the first position of each wanted key that is missing, ascending: images are stored
    in the order in which they are read.
    """
    unique, first = np.unique(wanted, return_index=True)
    return np.sort(first[index.find(unique) < 0])


def count_missing(encoder: ImageEncoder, keys: Sequence[str], settings: Settings) -> int:
    """Count the distinct images that `embed_images` would compute."""
    index = _embedding_set(encoder, settings).index()
    return len(_missing(index, digests_of(keys)))


def open_set(encoder: ImageEncoder, settings: Settings) -> Index:
    """Open the embedding set of an encoder, whose rows are mapped and not read."""
    return _embedding_set(encoder, settings).index()


def embed_files(
    encoder: ImageEncoder, paths: Sequence[Path], settings: Settings
) -> npt.NDArray[np.float32]:
    """Compute features (n, d) of image files that are no samples; nothing is cached.

    Raises InputError for a file that can't be read.
    """
    precision = str(set_facts(encoder, settings)[1]["precision"])
    runtime = _runtime(encoder, choose_device(settings.device), precision, settings.embeddings)
    rows = np.empty((len(paths), encoder.feature_dim), np.float32)
    for start, batch in encode_files(runtime, paths, encoder.preprocessing):
        rows[start : start + len(batch)] = batch
    return rows


@lru_cache(maxsize=2)
def _runtime(
    encoder: ImageEncoder,
    device: str,
    precision: str,
    folder: Path,
    backend: str | None = None,
    threads: int = 0,
) -> Runtime:
    """Compile an encoder, or one that an earlier process has converted and kept in `folder`."""
    # Compiling takes seconds, and a round embeds several splits with one encoder.
    known, name = ConvertedModels(folder / CONVERTED), fingerprint(encoder, precision)
    if backend is None and device == "cpu" and find_spec("openvino"):
        converted = known.load(name, OPENVINO_BATCH)
        try:
            if converted is not None:
                size = encoder.preprocessing.image_size
                run = backends.openvino(converted, size, OPENVINO_BATCH, precision, threads)
                return Runtime("openvino", OPENVINO_BATCH, run)
        except RuntimeError as error:
            log.warning("A converted model can't be used (%s); it is converted again.", error)
            known.discard(name, OPENVINO_BATCH)
    return compile_encoder(
        encoder.build(),
        encoder.preprocessing,
        device=device,
        precision=precision,
        backend=backend,
        batch_size=8 if backend == "eager" else None,
        threads=threads,
        keep=partial(known.save, name, OPENVINO_BATCH),
    )
