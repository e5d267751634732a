"""Where weights come from: package data, a local safetensors file, or the hub."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vecaf.errors import InputError, UnavailableError

if TYPE_CHECKING:
    import torch

HUB_TIMEOUT = 3.0  # seconds to find out whether a hub can be reached
TIMM_FILE = "model.safetensors"
FOLDERS = "VECAF_WEIGHTS"
"""The environment variable with folders of weights, separated like PATH."""


def package_data(name: str) -> Path:
    """Return the path of a file of weights that ships with this package."""
    return Path(str(files("vecaf.encoders").joinpath("data", name)))


def package_file(package: str, relative: str) -> Path:
    """Return the path of a data file of another package, without importing it.

    Raises UnavailableError if the package or the file is missing.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / relative
        if path.exists():
            return path
    name = package.replace("_", "-")
    raise UnavailableError(f"The package {name} is missing. Install it with: pip install {name}")


def local_file(text: str) -> Path:
    """Return the path of the user's safetensors file. Raises InputError if it isn't one."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # ~name of an unknown user
        raise InputError(f"There is no home folder for {text}. Enter the full path.") from error
    if path.suffix != ".safetensors":
        raise InputError(f"{path} is not a .safetensors file. Other formats can't be loaded.")
    if not path.is_file():
        raise InputError(f"There is no file {path}. Enter the full path of a .safetensors file.")
    return path


def hub_file(repository: str, filename: str, name: str) -> Path:
    """Return a safetensors file of a hub repository, and download it if necessary.

    Parameters
    ----------
    repository, filename
        On the hub.
    name
        The model's name as the user gave it, for errors.

    Raises
    ------
    UnavailableError
        Within seconds if no hub can be reached, or if the repository has no such file.
    """
    import httpx
    from huggingface_hub import hf_hub_download

    found = local_copy(repository, filename)
    if found is not None:
        return found
    advice = (
        f"If you have the file, choose {name}@/path/to/{filename} or set VECAF_WEIGHTS to its "
        "folder. Otherwise, choose an installed model."
    )
    check_hub(f"The weights of {repository}", advice)
    try:
        return Path(hf_hub_download(repository, filename, etag_timeout=HUB_TIMEOUT))
    except (OSError, ValueError, httpx.HTTPError) as error:  # the hub's own errors are OSErrors
        raise UnavailableError(
            f"{filename} of {repository} can't be downloaded ({type(error).__name__}). {advice}"
        ) from error


def check_hub(wanted: str, advice: str) -> None:
    """Raise UnavailableError, within seconds, if no hub can be reached.

    Parameters
    ----------
    wanted
        Subject of the error's sentence, in the plural.
    advice
        Last sentence of the error.
    """
    import httpx
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    offline = UnavailableError(
        f"{wanted} are not on this machine, and the hub can't be reached. {advice}"
    )
    if HF_HUB_OFFLINE:
        raise offline
    try:
        httpx.head(ENDPOINT, timeout=HUB_TIMEOUT)
    except httpx.HTTPError as error:
        raise offline from error


def local_copy(repository: str, filename: str) -> Path | None:
    """Return a file of a hub repository from the user's folders, or from the hub's cache."""
    return in_folders(repository, filename) or in_hub_cache(repository, filename)


def in_folders(repository: str, filename: str) -> Path | None:
    """Return a file of a hub repository from the folders of VECAF_WEIGHTS.

    For timm/resnet50.a1_in1k these are resnet50.a1_in1k.safetensors, and
    resnet50.a1_in1k/model.safetensors, which a download of the repository has.
    """
    model = repository.rstrip("/").rpartition("/")[2]
    for folder in os.environ.get(FOLDERS, "").split(os.pathsep):
        if not folder.strip():
            continue
        names = [f"{model}/{filename}"]
        if filename == TIMM_FILE:  # a repository can hold weights of timm and of open_clip
            names.insert(0, f"{model}.safetensors")
        for name in names:
            path = Path(folder).expanduser() / name
            if path.is_file():
                return path
    return None


def in_hub_cache(repository: str, filename: str) -> Path | None:
    """Return the file of a hub repository if it was downloaded before; uses no network."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repository, filename)
    return Path(cached) if isinstance(cached, str) else None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, cached until the file changes."""
    stat = path.stat()
    return _sha256_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file. Raises InputError if it is damaged or too large."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_holdable(path)
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not a safetensors file, or it is incomplete.") from error
    return tensors


def check_holdable(path: Path) -> None:
    """Raise InputError for a file that is larger than this machine's memory.

    A sparse file can claim any size.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = path.stat().st_size
    if size > memory:
        raise InputError(
            f"{path} is {size / 1e9:,.0f} GB, but this machine has only {memory / 1e9:,.0f} GB of "
            "memory. Use a smaller file."
        )


def renamed_by_order(
    tensors: Mapping[str, torch.Tensor], like: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return `tensors` under the names of `like`, position by position; shapes must agree."""
    shapes, wanted = [t.shape for t in tensors.values()], [t.shape for t in like.values()]
    if shapes != wanted:
        raise ValueError("The tensors don't match position by position.")
    return dict(zip(like, tensors.values(), strict=True))
