"""OpenVINO without its telemetry."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


def load_openvino() -> ModuleType:
    """Import OpenVINO. Import it only through this function.

    While OpenVINO converts a model, it sends usage data to Google Analytics, unless the user has
    opted out, and starts a process for each message. It uses the package `openvino_telemetry` if
    that can be imported, and a stub otherwise.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")
