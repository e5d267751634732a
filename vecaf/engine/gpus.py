"""The GPUs of this machine."""

from __future__ import annotations

import os
from pathlib import Path

OWN_GPUS = "VECAF_GPUS"
"""Environment variable with the GPUs of a child process, in the format of CUDA_VISIBLE_DEVICES."""


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use. Imports PyTorch only if there is a driver."""
    if not Path("/proc/driver/nvidia").exists():
        return []
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]
