"""What a run's picks were made with: code, versions, kind of device, precision; kept from then."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import vecaf
from vecaf.encoders.runtime import choose_device, effective_precision
from vecaf.export.code_digest import ROOMS
from vecaf.files import write_bytes
from vecaf.settings import Settings

NAME = "versions.json"
PACKAGES = ("torch", "timm", "open_clip_torch", "openvino", "numpy", "pillow")


def versions_now() -> dict[str, str]:
    """What decides numbers: Python, and each of PACKAGES that is installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # not every installation has every runtime
    return found


def code_now() -> str:
    """The first digits of a digest of our own code that decides numbers."""
    digest, root = hashlib.sha256(), Path(vecaf.__file__).parents[1]
    for room in ROOMS:
        place = root.joinpath(*room.split("."))
        for file in sorted(place.rglob("*.py")) or [place.with_suffix(".py")]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def conditions(settings: Settings) -> dict[str, str]:
    """The versions, our own code's (`vecaf`) among them, and the kind of device and the precision
    that these settings come to here.

    Raises UnavailableError for a device that this machine does not have.
    """
    device = choose_device(settings.device)
    precision = effective_precision(settings.precision, device)
    here = {"device": device.partition(":")[0], "precision": precision, "vecaf": code_now()}
    return versions_now() | here


def record_versions(folder: Path, settings: Settings) -> None:
    """Note in a run's folder what this attempt runs on; an attempt that changes nothing adds
    nothing, one after an upgrade or on another device adds a second entry."""
    known, current = versions_of(folder), conditions(settings)
    if not known or known[-1] != current:
        write_bytes(folder / NAME, json.dumps([*known, current], indent=2).encode())


def versions_of(folder: Path) -> list[dict[str, str]]:
    """What the run's attempts ran on, in order; nothing for a run from before this was noted."""
    path = folder / NAME
    if not path.exists():
        return []
    found: list[dict[str, str]] = json.loads(path.read_text())
    return found
