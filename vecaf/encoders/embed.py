"""Embed images once: rows come from the cache, and only the missing ones from the encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from vecaf.encoders.cache import EmbeddingSet, digests_of, fill, gather
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.runtime import (
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

PIXELS_VERSION = 1  # raise it when `preprocessing` computes other pixels than before
ROWS_PER_SHARD = 2048  # 10 MB at d = 1280: what a kill can lose


class ImageEncoder(Protocol):
    """What can be embedded with: a PVM, or the image tower of a VLM. Hashable."""

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
    """What an embedding depends on: neither the runtime nor where the weights lie."""
    return {
        "architecture": encoder.architecture,
        "weights_sha256": encoder.weights_sha256,
        "preprocessing": asdict(encoder.preprocessing),
        "pixels_version": PIXELS_VERSION,
        "precision": precision,
        "feature_dim": encoder.feature_dim,
    }


def fingerprint(encoder: ImageEncoder, precision: str = "float32") -> str:
    """The hex sha256 that names an encoder's embedding set; precision: float32 or bfloat16."""
    text = json.dumps(facts(encoder, precision), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def set_facts(encoder: ImageEncoder, settings: Settings) -> tuple[str, dict[str, object]]:
    """Fingerprint and facts of the embedding set that `embed_images` uses with these settings."""
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
    """Features (n, d), float32, of the images `keys` (hex sha256 of their content), in order.

    path_of(key) says where an image is stored. Rows that are cached cost no forward pass,
    equal images count once, and what was computed is kept, also when the call ends early.
    `progress(done, total)` counts the images that had to be computed. settings: where the
    cache is, the device and the precision. Raises CanceledError when `should_stop()` turns
    true (asked after every batch), InputError for a key or an image that cannot be read,
    UnavailableError for a missing device or a full disk.
    """
    wanted = digests_of(keys)
    if not len(wanted):
        return np.empty((0, encoder.feature_dim), np.float32)
    name, about = set_facts(encoder, settings)
    store = EmbeddingSet(settings.embeddings / name[:16], encoder.feature_dim)
    index = store.index()
    # Row order is kept, so that images are read in the order they are stored in.
    unique, first = np.unique(wanted, return_index=True)
    first = np.sort(first[index.find(unique) < 0])
    if len(first):
        store.describe(about)
        store.remove_leftovers()
        device, precision = choose_device(settings.device), str(about["precision"])
        # By how many are asked for, not are missing: the rest after a stop comes out the same.
        exact = precision == "float32"
        backend = backend_for(len(wanted), encoder.preprocessing, device) if exact else None
        runtime = _runtime(encoder, device, precision, backend)
        paths = [path_of(keys[i]) for i in first]
        batches = encode_files(
            runtime, paths, encoder.preprocessing, progress=progress, should_stop=should_stop
        )
        fill(store, wanted[first], batches, ROWS_PER_SHARD)
        index = store.index()
    return gather(index, wanted)


def count_missing(encoder: ImageEncoder, keys: Sequence[str], settings: Settings) -> int:
    """How many distinct images of `keys` `embed_images` would have to compute."""
    name, _ = set_facts(encoder, settings)
    index = EmbeddingSet(settings.embeddings / name[:16], encoder.feature_dim).index()
    return int((index.find(np.unique(digests_of(keys))) < 0).sum())


def embed_files(
    encoder: ImageEncoder, paths: Sequence[Path], settings: Settings
) -> npt.NDArray[np.float32]:
    """Features (n, d), float32, of image files that are no samples; nothing is kept.

    Raises InputError for a file that cannot be read.
    """
    precision = str(set_facts(encoder, settings)[1]["precision"])
    runtime = _runtime(encoder, choose_device(settings.device), precision)
    rows = np.empty((len(paths), encoder.feature_dim), np.float32)
    for start, batch in encode_files(runtime, paths, encoder.preprocessing):
        rows[start : start + len(batch)] = batch
    return rows


@lru_cache(maxsize=2)
def _runtime(
    encoder: ImageEncoder, device: str, precision: str, backend: str | None = None
) -> Runtime:
    # Compiling takes seconds; a round embeds several splits with the same encoder.
    return compile_encoder(
        encoder.build(),
        encoder.preprocessing,
        device=device,
        precision=precision,
        backend=backend,
        batch_size=8 if backend == "eager" else None,
    )
