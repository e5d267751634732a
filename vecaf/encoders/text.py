"""Text towers: sentences to unit rows, each distinct sentence once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecaf.encoders.embedding import unit_rows
from vecaf.encoders.runtime import choose_device
from vecaf.encoders.weights import read_safetensors

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.float32]

BATCH = 64
REMEMBERED = 20_000  # sentences: 30 MB at 384-d; captions of classes recur every round


class TextTower:
    """A text encoder that is loaded when the first sentence comes.

    load() returns (tokenize, encode): tokenize(list of m sentences) → int64 (m, length), and a
    torch module, tokens → (m, d). pad: the padding token where trailing padding may be cut off
    (the encoder masks it), None where the encoder needs its full length.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Callable[[list[str]], torch.Tensor], Any]],
        dim: int,
        *,
        pad: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.dim = dim
        self._load = load
        self._pad = pad
        self._device = device
        self._known: dict[str, Array] = {}

    def __call__(self, texts: Sequence[str]) -> Array:
        """Unit rows (m, d), float32, of m sentences, in order."""
        distinct = list(dict.fromkeys(texts))
        new = [text for text in distinct if text not in self._known]
        fresh = dict(zip(new, self._embed(new), strict=True))
        rows = self._known | fresh
        if len(rows) <= REMEMBERED:
            self._known = rows
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return np.stack([rows[text] for text in texts])

    @cached_property
    def _loaded(self) -> tuple[Callable[[list[str]], torch.Tensor], Any, str]:
        tokenize, encode = self._load()
        device = choose_device(self._device)
        return tokenize, encode.eval().to(device), device

    def _embed(self, texts: list[str]) -> Array:
        import torch

        rows = np.empty((len(texts), self.dim), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike lengths together
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            tokenize, encode, device = self._loaded
            tokens = tokenize([texts[i] for i in part])
            if self._pad is not None:
                tokens = tokens[:, : int((tokens != self._pad).sum(dim=1).max())]
            with torch.inference_mode():
                rows[part] = encode(tokens.to(device)).float().cpu().numpy()
        return unit_rows(rows)


def minilm(folder: Path, *, device: str = "cpu") -> TextTower:
    """all-MiniLM-L6-v2 (384-d) from its folder, as open_clip's text tower without projection.

    Gives the vectors of sentence-transformers; sentences are cut at 256 tokens, its limit.
    """

    def load() -> tuple[Callable[[list[str]], torch.Tensor], Any]:
        from open_clip.hf_model import HFTextEncoder
        from open_clip.tokenizer import HFTokenizer
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(str(folder))
        encode = HFTextEncoder(str(folder), 384, config=config, pooler_type="mean_pooler")
        tensors = read_safetensors(folder / "model.safetensors")
        del tensors["embeddings.position_ids"]  # 0, 1, 2 …: newer transformers count by themselves
        encode.transformer.load_state_dict(tensors)
        return HFTokenizer(str(folder), context_length=256), encode

    return TextTower(load, 384, pad=0, device=device)
