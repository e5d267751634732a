"""open_clip models by name, with weights from the hub or from a local safetensors file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.text import TextTower
from vecaf.encoders.weights import (
    check_hub,
    hub_file,
    in_hub_cache,
    local_file,
    read_safetensors,
    sha256_of,
)
from vecaf.errors import InputError, UnavailableError

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS = "open_clip_model.safetensors"
ADVICE = "Connect to the Hugging Face Hub once, or use an installed model."
LIST = "To list all names, call open_clip.list_models() in Python."


@dataclass(frozen=True)
class ImageTower:
    """The image tower of an open_clip model, with its projection into the joint space."""

    name: str
    architecture: str  # open_clip's name
    weights: Path
    weights_sha256: str
    preprocessing: Preprocessing
    feature_dim: int

    def build(self) -> nn.Module:
        """Return a module: normalized images (n, 3, s, s) → (n, feature_dim).

        Raises InputError if the weights don't fit the architecture.
        """
        from torch import nn

        clip: Any = _clip(self.architecture, self.weights, self.weights_sha256)

        class Images(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.clip = clip

            def forward(self, x: torch.Tensor) -> Any:
                return self.clip.encode_image(x)

        return Images().eval()

    def text_tower(self, device: str, cache: Path | None) -> TextTower:
        """Return the text tower of the same model."""

        def load() -> tuple[Callable[[list[str]], torch.Tensor], Any]:
            from torch import nn

            clip: Any = _clip(self.architecture, self.weights, self.weights_sha256)

            class Texts(nn.Module):
                def __init__(self) -> None:
                    super().__init__()
                    self.clip = clip

                def forward(self, tokens: torch.Tensor) -> Any:
                    return self.clip.encode_text(tokens)

            return _tokenizer(self.architecture), Texts()

        name = f"{self.architecture} {self.weights_sha256}"
        return TextTower(load, self.feature_dim, name, device=device, cache=cache)


def is_architecture(name: str) -> bool:
    """Return whether open_clip has a model of this name."""
    import open_clip

    return name in open_clip.list_models()


def load(name: str) -> ImageTower:
    """Locate an open_clip model; names and errors as in `vlm.load_vlm`.

    `ARCHITECTURE/PRETRAINED@FILE` uses activation and preprocessing of those published weights,
    with the tensors of FILE. `ARCHITECTURE@FILE` uses the preprocessing that all published weights
    share.
    """
    import open_clip

    given, _, path = name.partition("@")
    architecture, _, tag = given.partition("/")
    config = _config(architecture)
    known = _published(architecture, tag) if tag or not path else _agreed(architecture)
    weights = local_file(path) if path else _published_file(name, known)
    _check_text_side(architecture, config["text_cfg"])
    if known.get("quick_gelu") and not config.get("quick_gelu"):
        architecture += "-quickgelu"  # with the activation of its training
    defaults = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    facts = defaults | {key: value for key, value in known.items() if value is not None}
    size = config["vision_cfg"].get("image_size", 224)
    return ImageTower(
        name=name,
        architecture=architecture,
        weights=weights,
        weights_sha256=sha256_of(weights),
        preprocessing=Preprocessing(
            size if isinstance(size, int) else size[0],
            tuple(facts["mean"]),
            tuple(facts["std"]),
            facts.get("interpolation", "bicubic"),
            squash=facts.get("resize_mode") == "squash",
        ),
        feature_dim=config["embed_dim"],
    )


def _config(architecture: str) -> dict[str, Any]:
    import open_clip

    if ":" in architecture:  # hf-hub: and local-dir: may contain pickles
        raise InputError(
            f"Models can't be loaded from '{architecture}'. Use ARCHITECTURE/PRETRAINED, or "
            "ARCHITECTURE@/path/to/file.safetensors."
        )
    config: dict[str, Any] | None = open_clip.get_model_config(architecture)
    if config is None:
        near = get_close_matches(architecture, open_clip.list_models(), n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else LIST
        raise InputError(f"There is no vision-language model called '{architecture}'. {hint}")
    return config


def _published(architecture: str, tag: str) -> dict[str, Any]:
    """Return open_clip's facts about published weights. Raises InputError if there are none."""
    import open_clip

    published: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    if not published:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        near = get_close_matches(tag, tags, n=3, cutoff=0.3) or tags[:5]
        raise InputError(
            f"{architecture} has no weights called '{tag}'. Choose "
            + (" or ".join(f"{architecture}/{t}" for t in near) or f"{architecture}@FILE")
            + "."
        )
    return published


def _agreed(architecture: str) -> dict[str, Any]:
    """Return the facts of preprocessing that all published weights of an architecture share."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    first, *others = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags] or [{}]
    return {
        key: first.get(key)
        for key in ("mean", "std", "interpolation", "resize_mode")
        if all(other.get(key) == first.get(key) for other in others)
    }


def _published_file(name: str, published: dict[str, Any]) -> Path:
    repository, _, filename = str(published.get("hf_hub", "")).rpartition("/")
    if not repository:
        raise UnavailableError(
            f"{name} is not published as safetensors. If you have its weights, choose "
            f"{name}@/path/to/file.safetensors."
        )
    safe = str(Path(filename).with_suffix(".safetensors")) if filename else WEIGHTS
    return hub_file(repository, safe, name)


def _check_text_side(architecture: str, text: dict[str, Any]) -> None:
    """Raise UnavailableError if open_clip would need an unreachable hub for its text tower.

    open_clip itself would wait for half a minute.
    """
    needs = {"hf_tokenizer_name": "tokenizer_config.json", "hf_model_name": "config.json"}
    for key, filename in needs.items():
        repository = text.get(key)
        if repository and in_hub_cache(repository, filename) is None:
            parts = f"The tokenizer and text configuration of {architecture} ({repository})"
            check_hub(parts, ADVICE)


def _tokenizer(architecture: str) -> Any:
    import open_clip

    try:
        return open_clip.get_tokenizer(architecture)
    except (OSError, ValueError) as error:
        raise _no_part(architecture, error) from error


def _no_part(architecture: str, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"The tokenizer or text configuration of {architecture} can't be read "
        f"({type(error).__name__}). {ADVICE}"
    )


@lru_cache(maxsize=1)
def _clip(architecture: str, weights: Path, weights_sha256: str) -> nn.Module:
    """Return the model, read once for both towers; the digest makes a replaced file a new model."""
    import open_clip

    read_safetensors(weights)
    try:
        model: nn.Module = open_clip.create_model(
            architecture, pretrained=str(weights), pretrained_text=False
        )
    except (RuntimeError, KeyError) as error:
        detail = str(error).strip().splitlines()[0]
        raise InputError(
            f"{weights} doesn't contain weights of {architecture}: {detail}. Choose the "
            "safetensors file of this architecture."
        ) from error
    except (OSError, ValueError) as error:
        raise _no_part(architecture, error) from error
    return model.eval()
