"""Where weights come from: package data, a local safetensors file, the hub. Never a pickle."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vecaf.errors import InputError, UnavailableError

if TYPE_CHECKING:
    import torch

HUB_TIMEOUT = 3.0  # seconds to find out whether a hub can be reached


def package_file(package: str, relative: str) -> Path:
    """The path of a data file in an installed package, which is not imported.

    Raises UnavailableError if the package or the file is not there.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / relative
        if path.exists():
            return path
    name = package.replace("_", "-")
    raise UnavailableError(f"The package {name} is missing; install it with: pip install {name}")


def local_file(text: str) -> Path:
    """Check the path of a safetensors file that a person gave; InputError says what is wrong."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # ~name, and nobody of that name is known here
        raise InputError(f"There is no home folder for {text}; give the full path.") from error
    if path.suffix != ".safetensors":
        raise InputError(f"{path} is not a .safetensors file; other formats are not loaded.")
    if not path.is_file():
        raise InputError(f"There is no file {path}; give the full path of a .safetensors file.")
    return path


def hub_file(repository: str, filename: str, name: str) -> Path:
    """A safetensors file of a hub repository: from the local hub cache, else downloaded.

    name: the model's, as a person gives it; errors say how to give it with a file.

    Raises UnavailableError within seconds when no hub can be reached, and when the repository
    has no such file.
    """
    import httpx
    from huggingface_hub import hf_hub_download

    cached = in_hub_cache(repository, filename)
    if cached is not None:
        return cached
    advice = f"give the weights as a file, {name}@/path/to/{filename}, or use an embedded model."
    check_hub(f"The weights of {repository}", advice)
    try:
        return Path(hf_hub_download(repository, filename, etag_timeout=HUB_TIMEOUT))
    except (OSError, ValueError, httpx.HTTPError) as error:  # the hub's own errors are OSErrors
        raise UnavailableError(
            f"{filename} of {repository} cannot be downloaded ({type(error).__name__}); {advice}"
        ) from error


def check_hub(wanted: str, advice: str) -> None:
    """Raise UnavailableError, within seconds, when no hub can be reached for what is wanted.

    wanted: things in the plural, which begin the sentence; advice ends it.
    """
    import httpx
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    offline = UnavailableError(
        f"{wanted} are not on this machine and the hub cannot be reached; {advice}"
    )
    if HF_HUB_OFFLINE:
        raise offline
    try:
        httpx.head(ENDPOINT, timeout=HUB_TIMEOUT)
    except httpx.HTTPError as error:
        raise offline from error


def in_hub_cache(repository: str, filename: str) -> Path | None:
    """The file of a hub repository if an earlier download left it here; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repository, filename)
    return Path(cached) if isinstance(cached, str) else None


def sha256_of(path: Path) -> str:
    """The hex sha256 of a file's content, remembered until the file changes."""
    stat = path.stat()
    return _sha256_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file by name; InputError if it is not one, or can't be held."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_holdable(path)
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file, or it is cut short.") from error
    return tensors


def check_holdable(path: Path) -> None:
    """Raise InputError for a file that is larger than this machine's memory: tensors can't be
    larger than their file, but a sparse file can say that it is of any size."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = path.stat().st_size
    if size > memory:
        raise InputError(
            f"{path} has {size / 1e9:,.0f} GB, more than this machine has memory "
            f"({memory / 1e9:,.0f} GB); it can't be loaded."
        )


def renamed_by_order(
    tensors: Mapping[str, torch.Tensor], like: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """`tensors` under the names of `like`, position by position; both must agree in shapes."""
    shapes, wanted = [t.shape for t in tensors.values()], [t.shape for t in like.values()]
    if shapes != wanted:
        raise ValueError("the tensors do not match position by position")
    return dict(zip(like, tensors.values(), strict=True))
