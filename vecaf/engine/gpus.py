"""Which GPUs a worker's jobs use: one run a GPU, or one on several where a setting says so."""

from __future__ import annotations

import os
from pathlib import Path

from vecaf.errors import UnavailableError
from vecaf.settings import Settings

OWN_GPUS = "VECAF_GPUS"
"""The variable that tells a child process its worker's GPUs, as CUDA_VISIBLE_DEVICES would."""


def own_gpus(settings: Settings, place: int) -> str:
    """The GPUs of the worker at a place of this machine (from 0); empty where it needs none.

    Each worker has `settings.processes` of them. Raises UnavailableError where others have all.
    """
    if settings.device not in ("auto", "cuda"):
        return ""
    visible = visible_gpus()
    each = settings.processes
    own = visible[place * each : (place + 1) * each]
    if visible and len(own) < each:
        raise UnavailableError(
            f"This machine shows {len(visible)} GPUs and each worker takes {each}: the workers "
            f"that run have them all. Set VECAF_DEVICE=cpu for one that needs none."
        )
    return ",".join(own)


def visible_gpus() -> list[str]:
    """The GPUs that this process may use. PyTorch is asked only where there is a driver."""
    if not Path("/proc/driver/nvidia").exists():
        return []
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]
