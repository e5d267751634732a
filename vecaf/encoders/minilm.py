"""all-MiniLM-L6-v2, the text encoder of the installed VLM, with PyTorch's own transformer.

The classes of transformers take three seconds of processor time to import. A run or a search
embeds its few sentences in less.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from vecaf.encoders.weights import read_safetensors

PAD = 0
MAX_TOKENS = 256  # the limit of the published model

EMBEDDINGS = {
    "words": "word_embeddings", "positions": "position_embeddings",
    "segments": "token_type_embeddings",
}  # fmt: skip
LAYER = {
    "self_attn.out_proj": "attention.output.dense", "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense", "linear2": "output.dense", "norm2": "output.LayerNorm",
}  # fmt: skip
"""Parts of `MiniLM`, and their names in the file of weights."""


class MiniLM(nn.Module):
    """A BERT encoder (arXiv 1810.04805), and the mean of its token embeddings (arXiv 1908.10084).

    Parameters
    ----------
    config
        The published `config.json`.
    """

    def __init__(self, config: dict[str, int | float]) -> None:
        super().__init__()
        width, epsilon = int(config["hidden_size"]), float(config["layer_norm_eps"])
        self.words = nn.Embedding(int(config["vocab_size"]), width)
        self.positions = nn.Embedding(int(config["max_position_embeddings"]), width)
        self.segments = nn.Embedding(int(config["type_vocab_size"]), width)
        self.norm = nn.LayerNorm(width, epsilon)
        layer = nn.TransformerEncoderLayer(
            width, int(config["num_attention_heads"]), int(config["intermediate_size"]),
            activation="gelu", layer_norm_eps=epsilon, batch_first=True,
        )  # fmt: skip
        self.encoder = nn.TransformerEncoder(
            layer, int(config["num_hidden_layers"]), enable_nested_tensor=False
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (m, length), padded with PAD, to embeddings (m, width)."""
        padding = tokens == PAD
        rows = self.words(tokens) + self.positions.weight[: tokens.shape[1]]
        rows = self.norm(rows + self.segments.weight[0])
        rows = self.encoder(rows, src_key_padding_mask=padding)
        counted = (~padding).unsqueeze(-1).to(rows.dtype)
        mean: Tensor = (rows * counted).sum(dim=1) / counted.sum(dim=1)
        return mean


def load_minilm(folder: Path) -> tuple[Callable[[list[str]], Tensor], MiniLM]:
    """Read the model from its folder.

    Returns
    -------
    tokenize
        Maps m sentences to int64 (m, length).
    model
        Maps these to float32 (m, 384).
    """
    with torch.device("meta"):  # without random weights, which the file replaces
        model = MiniLM(json.loads((folder / "config.json").read_text()))
    tensors = read_safetensors(folder / "model.safetensors")
    model.load_state_dict(_renamed(tensors, len(model.encoder.layers)), assign=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding(pad_id=PAD)

    def tokenize(texts: list[str]) -> Tensor:
        valid = [text.encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        return torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(valid)])

    return tokenize, model


def _renamed(tensors: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return weights by PyTorch's names, with queries, keys and values in one matrix each layer."""
    found = {
        f"{name}.weight": tensors[f"embeddings.{source}.weight"]
        for name, source in EMBEDDINGS.items()
    }
    for kind in ("weight", "bias"):
        found[f"norm.{kind}"] = tensors[f"embeddings.LayerNorm.{kind}"]
        for number in range(layers):
            ours, theirs = f"encoder.layers.{number}", f"encoder.layer.{number}"
            for name, source in LAYER.items():
                found[f"{ours}.{name}.{kind}"] = tensors[f"{theirs}.{source}.{kind}"]
            attention = f"{theirs}.attention.self"
            found[f"{ours}.self_attn.in_proj_{kind}"] = torch.cat(
                [tensors[f"{attention}.{part}.{kind}"] for part in ("query", "key", "value")]
            )
    return found
