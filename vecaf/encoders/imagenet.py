"""Text embeddings of ImageNet's 1000 classes, which ship with the package.

Computing them takes about ten seconds on two cores, which would delay the first map, search or
suggestion of every new data folder. `write` makes the file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecaf.encoders.text import TextTower
from vecaf.encoders.weights import package_data

FILE = package_data("imagenet_classes.safetensors")


def embed_classes(tower: TextTower, file: Path = FILE) -> npt.NDArray[np.float32]:
    """Return unit rows of the classes, in the order of the logits: shape (1000, tower.dim).

    They are read from `file` if it was made with this tower and the same sentences (timm's versions
    may describe classes differently). Otherwise they are computed.
    """
    from safetensors import safe_open

    sentences = describe()
    if file.is_file():
        with safe_open(file, framework="numpy") as kept:
            if kept.metadata() == _made_of(tower, sentences):
                rows: npt.NDArray[np.float32] = kept.get_tensor("rows")
                return rows
    return tower(sentences)


def describe() -> list[str]:
    """Return a sentence with the names and the definition of each class."""
    from timm.data.imagenet_info import ImageNetInfo

    return [f"a photo of a {gloss}" for gloss in ImageNetInfo().label_descriptions(detailed=True)]


def write(tower: TextTower, file: Path = FILE) -> None:
    """Write `file` with the installed tower, `load_vlm("embedded").text_tower`."""
    from safetensors.numpy import save_file

    sentences = describe()
    save_file({"rows": tower(sentences)}, file, metadata=_made_of(tower, sentences))


def _made_of(tower: TextTower, sentences: list[str]) -> dict[str, str]:
    content = "\n".join(sentences).encode()
    return {"tower": tower.fingerprint, "sentences": hashlib.sha256(content).hexdigest()}
