"""What a run's picks were made with: versions, kind of device, precision; kept from that moment."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vecaf.encoders.runtime import choose_device, effective_precision
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


def conditions(settings: Settings) -> dict[str, str]:
    """The versions, and the kind of device and the precision that these settings come to here.

    Raises UnavailableError for a device that this machine does not have.
    """
    device = choose_device(settings.device)
    precision = effective_precision(settings.precision, device)
    return versions_now() | {"device": device.partition(":")[0], "precision": precision}


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
