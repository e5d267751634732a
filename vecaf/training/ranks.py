"""The processes that train one model, each on its part of every batch.

All of them run the same program, as `torchrun` and Ray Train start it, with PyTorch's data
parallelism: gloo on CPUs, NCCL on GPUs. Only the first one uses the database and the embeddings,
validates, reports and saves; `Ranks.from_first` gives its results to the others. A VecafError that
these methods raise is raised in every process, so that all of them continue, or stop, together.
PyTorch is imported only for several processes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays.blas_threads import limit_blas_threads
from vecaf.errors import VecafError

if TYPE_CHECKING:
    from torch import nn

TIMEOUT = timedelta(days=7)  # the others wait while the first one embeds, selects and validates

P = ParamSpec("P")
T = TypeVar("T")


class FirstProcessError(VecafError):
    """The first process failed. In that process, the cause is the error."""


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
        Where this process trains. With one process, the settings decide.
    """

    number: int = 0
    count: int = 1
    device: str = "auto"

    @property
    def first(self) -> bool:
        """Whether this process uses the database, validates, reports and saves."""
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

    def from_first(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call `function` in the first process, and return its result in all processes.

        Raises
        ------
        VecafError
            The one that `function` raised. Another error becomes a FirstProcessError.
        """
        if self.count == 1:
            return function(*arguments, **options)
        if not self.first:
            result, error = self._broadcast(None)
            if error is not None:
                raise error
            return result  # type: ignore[no-any-return]
        try:
            result = function(*arguments, **options)
        except VecafError as error:
            self._broadcast((None, error))
            raise
        except Exception as error:
            failure = FirstProcessError("The first training process failed. See the log.")
            self._broadcast((None, failure))
            raise failure from error
        self._broadcast((result, None))
        return result

    def agree(self, ask: Callable[[], float]) -> float:
        """Return the answer of the first process as `from_first` does, but in a single message."""
        if self.count == 1:
            return ask()
        import torch
        from torch import distributed

        answer, failed, error = 0.0, False, None
        if self.first:
            try:
                answer = ask()
            except Exception as caught:
                failed, error = True, caught
        message = torch.tensor([answer, failed], dtype=torch.float64)
        distributed.broadcast(message, 0)
        if message[1]:
            self.from_first(_raise, error)
        return float(message[0])

    def together(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call `function` in every process, and return its result.

        Raises
        ------
        VecafError
            One that `function` raised in any of the processes.
        """
        if self.count == 1:
            return function(*arguments, **options)
        from torch import distributed

        result, error = None, None
        try:
            result = function(*arguments, **options)
        except VecafError as caught:
            error = caught
        if self.mean(float(error is not None)):
            errors: list[VecafError | None] = [None] * self.count
            distributed.all_gather_object(errors, error)
            raise next(one for one in errors if one is not None)
        return result  # type: ignore[return-value]

    def mean(self, value: float) -> float:
        """Return the average of `value` over the processes."""
        return float(self.sum(np.array([value]))[0]) / self.count

    def sum(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of the processes' arrays, which have one shape."""
        if self.count == 1:
            return array
        import torch
        from torch import distributed

        total = torch.from_numpy(np.array(array))
        distributed.all_reduce(total)
        return np.asarray(total.numpy())

    def _broadcast(self, content: Any) -> Any:
        """Return the `content` of the first process in all processes, tensors on their GPUs."""
        import torch
        from torch import distributed

        buffer = io.BytesIO()
        if self.first:
            torch.save(content, buffer)
        length = torch.tensor([buffer.tell()])
        distributed.broadcast(length, 0)
        data = torch.empty(int(length), dtype=torch.uint8)
        if self.first:
            data = torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)
        distributed.broadcast(data, 0)
        if self.first:
            return content
        # Unpickling is safe here: the sender is a process of the same job.
        own = {"cuda:0": self.device}
        return torch.load(io.BytesIO(data.numpy().data), map_location=own, weights_only=False)


ALONE = Ranks()


def join(device: str) -> Ranks:
    """Join the processes that `torchrun` or Ray Train started; return when all have joined.

    Parameters
    ----------
    device
        As in the settings. With several GPUs, each process on a machine gets its own.
    """
    import torch
    from torch import distributed

    if device.startswith("cuda"):
        device = f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    # As torchrun and Ray do: the processes of a machine share its cores. The same number of threads
    # everywhere also makes the weights the same, to the last bit.
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    limit_blas_threads(threads)
    if not distributed.is_initialized():  # Ray Train has done it already
        distributed.init_process_group(backend_for(device), timeout=TIMEOUT)
    distributed.barrier()
    return Ranks(distributed.get_rank(), distributed.get_world_size(), device)


def backend_for(device: str) -> str:
    """Return PyTorch's communication backend for a device."""
    return "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"


def leave() -> None:
    """Leave the group. Processes that still wait for this one then raise an error."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _raise(error: Exception | None) -> NoReturn:
    assert error is not None
    raise error
