"""Several processes that train one model, each on its part of every batch.

They use PyTorch's data parallelism: gloo on CPUs, NCCL on GPUs. The first process also does the
rest of the run. It sends the others a function and its arguments; they take the same training
steps, but they don't validate, report or save. PyTorch is imported only for several processes.
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

TIMEOUT = timedelta(days=7)  # the others wait while the first one embeds, selects and validates


@dataclass(frozen=True)
class Ranks:
    """This process among the processes that train a model.

    Attributes
    ----------
    number
        Of this process, from 0 (a rank in PyTorch's terms).
    count
        Number of processes. With one, no method communicates.
    device
        Where this process trains.
    """

    number: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process validates, reports and saves."""
        return self.number == 0

    def part(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this process's part of the rows of a batch.

        Where the batch has too few rows for all processes, it is one row with a loss weight of 0.
        """
        return rows[self.number :: self.count] if len(rows) > self.number else rows[:1]

    def loss_weight(self, n: int) -> float:
        """Return the weight of this process's mean loss in a batch of `n` rows.

        The average of the weighted losses over the processes is the mean over all rows.
        """
        return len(range(self.number, n, self.count)) * self.count / n

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return a module that computes `model` and averages gradients over the processes."""
        if self.count == 1:
            return model
        from torch import nn

        devices = None if self.device == "cpu" else [self.device]
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)

    def agree(self, ask: Callable[[], float]) -> float:
        """Call `ask` in the first process, and return its answer in all processes."""
        if self.count == 1:
            return ask()
        import torch
        from torch import distributed

        answer = torch.tensor([ask() if self.first else 0.0], dtype=torch.float64)
        distributed.broadcast(answer, 0)
        return float(answer)

    def mean(self, value: float) -> float:
        """Return the average of `value` over the processes."""
        if self.count == 1:
            return value
        import torch
        from torch import distributed

        total = torch.tensor([value], dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total) / self.count

    def sum(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of the processes' arrays, which have one shape."""
        if self.count == 1:
            return array
        import torch
        from torch import distributed

        total = torch.from_numpy(np.array(array))
        distributed.all_reduce(total)
        return np.asarray(total.numpy())

    def send(self, function: Callable[..., Any] | None, **arguments: Any) -> None:
        """Make the other processes call `function` with `arguments` and their own `ranks`.

        None ends them. Does nothing in the other processes themselves.
        """
        if self.count == 1 or not self.first:
            return
        import torch
        from torch import distributed

        buffer = io.BytesIO()
        torch.save((function, arguments), buffer)
        content = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
        distributed.broadcast(torch.tensor([len(content)]), 0)
        distributed.broadcast(content, 0)

    def receive(self) -> tuple[Callable[..., Any], dict[str, Any]] | None:
        """Wait for a function and its arguments from the first process; None at the end."""
        import torch
        from torch import distributed

        length = torch.zeros(1, dtype=torch.int64)
        distributed.broadcast(length, 0)
        content = torch.empty(int(length), dtype=torch.uint8)
        distributed.broadcast(content, 0)
        # Unpickling is safe here: the sender is a process of the same job.
        function, arguments = torch.load(
            io.BytesIO(content.numpy().tobytes()), map_location=self.device, weights_only=False
        )
        return None if function is None else (function, arguments)


ALONE = Ranks()


def join(number: int, count: int, meeting: Path, device: str) -> Ranks:
    """Join a group of processes; return when all of them have joined.

    Parameters
    ----------
    number, count
        This process's number, from 0, and the number of processes.
    meeting
        A new file that all processes can reach, by which they find each other.
    device
        As in the settings. With several GPUs, each process gets its own.
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
        timeout=TIMEOUT,
    )
    distributed.barrier()
    return Ranks(number, count, device)


def leave() -> None:
    """Leave the group of processes."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()
