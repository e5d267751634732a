"""Assign GPUs to workers: one per worker, or several if a run trains with several processes."""

from __future__ import annotations

import os
from pathlib import Path

from vecaf.errors import UnavailableError
from vecaf.settings import Settings

OWN_GPUS = "VECAF_GPUS"
"""Environment variable with the GPUs of the worker, in the format of CUDA_VISIBLE_DEVICES."""


def own_gpus(settings: Settings, slot: int) -> str:
    """Return the GPUs of a worker, or "" if it needs none.

    Parameters
    ----------
    slot
        Number of the worker on this machine, from 0. Each has `settings.processes` GPUs.

    Raises
    ------
    UnavailableError
        Other workers use all GPUs.
    """
    if settings.device not in ("auto", "cuda"):
        return ""
    visible = visible_gpus()
    per_worker = settings.processes
    own = visible[slot * per_worker : (slot + 1) * per_worker]
    if visible and len(own) < per_worker:
        raise UnavailableError(
            f"No GPU is free for another worker: this machine has {len(visible)} GPUs, and each "
            f"worker uses {per_worker}. To start a worker without a GPU, set VECAF_DEVICE=cpu."
        )
    return ",".join(own)


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use. Imports PyTorch only if there is a driver."""
    if not Path("/proc/driver/nvidia").exists():
        return []
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]
