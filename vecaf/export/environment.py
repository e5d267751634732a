"""The environment of a run: code version, package versions, device type and precision."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import vecaf
from vecaf.encoders.runtime import choose_device, effective_precision
from vecaf.export.code_digest import RESULT_MODULES
from vecaf.files import write_bytes
from vecaf.settings import Settings

NAME = "versions.json"
PACKAGES = ("torch", "timm", "open_clip_torch", "openvino", "numpy", "pillow")


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the installed PACKAGES, which affect results."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # optional package
    return found


def code_version() -> str:
    """Return the first 12 digits of a hash of the studio's code that affects results."""
    digest, root = hashlib.sha256(), Path(vecaf.__file__).parents[1]
    for module in RESULT_MODULES:
        path = root.joinpath(*module.split("."))
        for file in sorted(path.rglob("*.py")) or [path.with_suffix(".py")]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def run_environment(settings: Settings) -> dict[str, str]:
    """Return package versions, code version ("vecaf"), device type and precision.

    Raises
    ------
    UnavailableError
        If this machine does not have the configured device.
    """
    device = choose_device(settings.device)
    precision = effective_precision(settings.precision, device)
    here = {"device": device.partition(":")[0], "precision": precision, "vecaf": code_version()}
    return installed_versions() | here


def record_versions(folder: Path, settings: Settings) -> None:
    """Record the environment of this attempt in the run's folder.

    An entry is added only if the environment differs from that of the previous attempt.
    """
    known, current = read_versions(folder), run_environment(settings)
    if not known or known[-1] != current:
        write_bytes(folder / NAME, json.dumps([*known, current], indent=2).encode())


def read_versions(folder: Path) -> list[dict[str, str]]:
    """Return the environments of a run's attempts, in order. Older runs have none."""
    path = folder / NAME
    if not path.exists():
        return []
    found: list[dict[str, str]] = json.loads(path.read_text())
    return found
