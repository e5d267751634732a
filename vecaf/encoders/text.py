"""Text towers: sentences to unit rows; each distinct sentence is computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vecaf.arrays import Floats, unit_rows
from vecaf.encoders.cache import Digests, EmbeddingSet, Index, digests_of, gather, index_of
from vecaf.encoders.runtime import choose_device
from vecaf.encoders.weights import sha256_of

if TYPE_CHECKING:
    import torch


BATCH = 64


class TextTower:
    """A text encoder that loads with the first sentence.

    Parameters
    ----------
    load
        Returns (tokenize, encode): tokenize maps m sentences to int64 (m, length), and encode is a
        torch module that maps tokens to (m, d).
    dim
        d.
    fingerprint
        Names weights and tokenizer in the cache.
    pad
        The padding token, if trailing padding may be cut off because the encoder masks it.
    device
        Where the encoder runs.
    cache
        Folder of the embedding sets.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Callable[[list[str]], torch.Tensor], Any]],
        dim: int,
        fingerprint: str,
        *,
        pad: int | None = None,
        device: str = "cpu",
        cache: Path | None = None,
    ) -> None:
        self.dim = dim
        self.fingerprint = fingerprint
        self._load = load
        self._pad = pad
        self._device = device
        self._remembered = index_of([])
        self._store: EmbeddingSet | None = None
        if cache is not None:
            name = hashlib.sha256(fingerprint.encode()).hexdigest()[:16]
            self._store = EmbeddingSet(cache / name, dim)

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Return unit rows (m, d) of m sentences, in order; each distinct sentence is computed
        once.

        With a cache folder, rows are kept there: captions of a dataset recur in every run, and each
        run is a new process.
        """
        if not texts:
            return np.empty((0, self.dim), np.float32)
        contents = [text.encode("utf-8", "surrogatepass") for text in texts]
        wanted = digests_of([hashlib.sha256(content).hexdigest() for content in contents])
        index = self._index()
        unique, first = np.unique(wanted, return_index=True)
        first = first[index.find(unique) < 0]
        if len(first):
            rows = self._embed([texts[place] for place in first])
            index = self._keep(index, wanted[first], rows)
        return gather(index, wanted)

    def _index(self) -> Index:
        return self._remembered if self._store is None else self._store.index()

    def _keep(self, index: Index, keys: Digests, rows: Floats) -> Index:
        """Return the index with new rows (m, d), which are cached on disk if possible."""
        if self._store is None:
            self._remembered = index.with_shard(keys, rows)
            return self._remembered
        self._store.describe({"text_tower": self.fingerprint, "dimension": self.dim})
        self._store.add(keys, rows)
        return self._store.index()

    @cached_property
    def _loaded(self) -> tuple[Callable[[list[str]], torch.Tensor], Any, str]:
        tokenize, encode = self._load()
        device = choose_device(self._device)
        return tokenize, encode.eval().to(device), device

    def _embed(self, texts: list[str]) -> Floats:
        import torch

        rows = np.empty((len(texts), self.dim), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # similar lengths together
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            tokenize, encode, device = self._loaded
            tokens = tokenize([texts[i] for i in part])
            if self._pad is not None:
                tokens = tokens[:, : int((tokens != self._pad).sum(dim=1).max())]
            with torch.inference_mode():
                rows[part] = encode(tokens.to(device)).float().cpu().numpy()
        return unit_rows(rows)


def minilm(folder: Path, *, device: str = "cpu", cache: Path | None = None) -> TextTower:
    """Return all-MiniLM-L6-v2 (384-d) from its folder.

    Its vectors equal those of sentence-transformers. Sentences are cut at 256 tokens, its limit.
    """

    def load() -> tuple[Callable[[list[str]], torch.Tensor], Any]:
        from vecaf.encoders.minilm import load_minilm

        return load_minilm(folder)

    weights = sha256_of(folder / "model.safetensors")
    return TextTower(load, 384, f"minilm {weights}", pad=0, device=device, cache=cache)
