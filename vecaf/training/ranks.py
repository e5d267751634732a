"""Processes that train one model together, each on its part of every batch.

This is torch's own data parallelism (gloo on CPUs, NCCL on GPUs). The first process does all else
of a run, too. The others are told which stage to train, with which arguments; they take the same
steps, and validate, report and save nothing. PyTorch is imported only where there are others.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

PATIENCE = timedelta(days=7)  # the others wait while the first one embeds, selects and validates


@dataclass(frozen=True)
class Ranks:
    """This process's `number` among `count`; with one process every method is trivial."""

    number: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        return self.number == 0

    def part(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch's rows; one row, of share 0, where there are too few."""
        return rows[self.number :: self.count] if len(rows) > self.number else rows[:1]

    def share(self, n: int) -> float:
        """What the mean loss over this process's part of `n` rows counts for in the average over
        processes, so that the average is the mean over all rows."""
        return len(range(self.number, n, self.count)) * self.count / n

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as its gradient is to be computed: averaged over the processes."""
        if self.count == 1:
            return model
        from torch import nn

        devices = None if self.device == "cpu" else [self.device]
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)

    def agree(self, ask: Callable[[], float]) -> float:
        """What `ask` returns in the first process, where alone it is called."""
        if self.count == 1:
            return ask()
        import torch
        from torch import distributed

        answer = torch.tensor([ask() if self.first else 0.0], dtype=torch.float64)
        distributed.broadcast(answer, 0)
        return float(answer)

    def mean(self, value: float) -> float:
        """The average of `value` over the processes."""
        if self.count == 1:
            return value
        import torch
        from torch import distributed

        total = torch.tensor([value], dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total) / self.count

    def sum(self, array: NDArray[Any]) -> NDArray[Any]:
        """The sum of the processes' arrays, of one shape."""
        if self.count == 1:
            return array
        import torch
        from torch import distributed

        total = torch.from_numpy(np.array(array))
        distributed.all_reduce(total)
        return np.asarray(total.numpy())

    def tell(self, stage: Callable[..., Any] | None, **arguments: Any) -> None:
        """Have the others call `stage` with `arguments` and their own `ranks`; None: go home."""
        if self.count == 1 or not self.first:
            return
        import torch
        from torch import distributed

        buffer = io.BytesIO()
        torch.save((stage, arguments), buffer)
        content = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
        distributed.broadcast(torch.tensor([len(content)]), 0)
        distributed.broadcast(content, 0)

    def told(self) -> tuple[Callable[..., Any], dict[str, Any]] | None:
        """Wait for what the first process tells; None when all is done."""
        import torch
        from torch import distributed

        length = torch.zeros(1, dtype=torch.int64)
        distributed.broadcast(length, 0)
        content = torch.empty(int(length), dtype=torch.uint8)
        distributed.broadcast(content, 0)
        # From a process of this same job, so whole modules may come.
        stage, arguments = torch.load(
            io.BytesIO(content.numpy().tobytes()), map_location=self.device, weights_only=False
        )
        return None if stage is None else (stage, arguments)


ALONE = Ranks()


def join(number: int, count: int, meeting: Path, device: str) -> Ranks:
    """Become process `number` of `count`, which meet by a file that all can reach.

    The file must be new. Returns when all are there.
    """
    import torch
    from torch import distributed

    if device.startswith("cuda"):
        device = f"cuda:{number % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl",
        init_method=f"file://{meeting}",
        rank=number,
        world_size=count,
        timeout=PATIENCE,
    )
    distributed.barrier()
    return Ranks(number, count, device)


def leave() -> None:
    """End the communication."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()
