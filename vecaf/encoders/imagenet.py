"""ImageNet's 1000 classes as the embedded text tower sees them; they ship with the studio.

Embedding a thousand sentences takes ten seconds or so on two cores, which every new home would pay
before its first map, search or suggestion. `write` makes the file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecaf.encoders.text import TextTower

FILE = Path(__file__).parent / "data" / "imagenet_classes.safetensors"


def embed_classes(tower: TextTower, file: Path = FILE) -> npt.NDArray[np.float32]:
    """Unit rows (1000, tower.dim), float32, of the classes in the order of the logits.

    They are read from `file` where it was made with this tower and of these sentences, which
    timm's versions may word differently; else they are computed.
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
    """A sentence with the names and the gloss of each class."""
    from timm.data.imagenet_info import ImageNetInfo

    return [f"a photo of a {gloss}" for gloss in ImageNetInfo().label_descriptions(detailed=True)]


def write(tower: TextTower, file: Path = FILE) -> None:
    """Make `file` anew with the embedded tower, `load_vlm("embedded").text_tower`."""
    from safetensors.numpy import save_file

    sentences = describe()
    save_file({"rows": tower(sentences)}, file, metadata=_made_of(tower, sentences))


def _made_of(tower: TextTower, sentences: list[str]) -> dict[str, str]:
    content = "\n".join(sentences).encode()
    return {"tower": tower.fingerprint, "sentences": hashlib.sha256(content).hexdigest()}
