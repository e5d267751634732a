"""The limits of a device, measured, and the shortest time that a computation can take on it.

References
----------
Williams et al. 2009, Roofline: An Insightful Visual Performance Model for Multicore Architectures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Roofline:
    """The measured limits of a device: operations in bfloat16 and bytes per second."""

    operations: float
    bandwidth: float

    def seconds(self, operations: float, transferred: float = 0.0) -> float:
        """Return the shortest time for so many operations and transferred bytes."""
        return max(operations / self.operations, transferred / self.bandwidth)


def measure_roofline(device: torch.device, side: int) -> Roofline:
    """Measure the limits by a product of two square matrices, and by a copy of one of them."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = fastest(lambda: left @ right, device, repeats=10)
    copy = torch.empty_like(left)
    copied = fastest(lambda: copy.copy_(left), device, repeats=10)
    return Roofline(2 * side**3 / product, 2 * left.nbytes / copied)


def fastest(program: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the shortest time of a program in seconds, after a run to warm up."""
    best = float("inf")
    for turn in range(repeats + 1):
        _wait(device)
        started = time.perf_counter()
        program()
        _wait(device)
        if turn:
            best = min(best, time.perf_counter() - started)
    return best


def memory_of(program: Callable[[], object], device: torch.device) -> int:
    """Return the peak GPU memory of a program in bytes, beyond what is in use; 0 on a CPU."""
    if device.type != "cuda":
        program()
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    program()
    return int(torch.cuda.max_memory_allocated(device) - before)


def forward_operations(model: nn.Module, images: Tensor) -> int:
    """Count the operations of a forward pass over `images`."""
    counter: Any = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(images)
    return int(counter.get_total_flops())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
