"""Start the processes of a run on this machine, with the launcher of `torchrun`."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from vecaf.engine.attempt import LostProcessError
from vecaf.errors import CanceledError

LOCALHOST = "127.0.0.1"

T = TypeVar("T")


def launch_here(program: Callable[[], T], count: int, device: str, folder: Path) -> T:
    """Call `program` in `count` processes of this machine; see `Launcher`.

    The processes stay in the process group of this one. SIGTERM is passed on to them, so that they
    can write a checkpoint.

    Raises
    ------
    CanceledError
        This process received SIGTERM.
    """
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=f"{LOCALHOST}:0",
        local_addr=LOCALHOST,
        max_restarts=0,  # the next attempt resumes from the checkpoint
        logs_specs=DefaultLogsSpecs(log_dir=str(folder)),
        start_method="spawn",
    )
    with _restored_signals():
        try:
            results: dict[int, T] = elastic_launch(config, _call)(program)
        except SignalException as error:
            raise CanceledError("The training processes were told to stop.") from error
        except ChildFailedError as error:
            # The first failure may be of a process that lost the connection to the failed one.
            for path in folder.glob(f"{config.run_id}*/**/error.json"):
                if "out of memory" in path.read_text().lower():
                    raise MemoryError("out of memory") from error
            raise LostProcessError("A training process exited.") from error
    return results[0]


def _call(program: Callable[[], T]) -> T:
    return program()  # the launcher needs a function


@contextmanager
def _restored_signals() -> Iterator[None]:
    """Restore the handlers that the launcher replaces."""
    replaced = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    handlers = {number: signal.getsignal(number) for number in replaced}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
