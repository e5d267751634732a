"""The additional processes that train a run together with the first one.

    python -m vecaf.engine.training_processes NUMBER COUNT FILE DEVICE

The child process of a run starts them in its own process group, so that they end with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vecaf.engine.attempt import LOST_PROCESS_STATUS, LostProcessError
from vecaf.errors import UnreadableImageError, VecafError
from vecaf.training.ranks import ALONE, Ranks, join, leave
from vecaf.training.reporter import SILENT

POLL_SECONDS = 0.2
LEAVE_SECONDS = 20.0
DETECT_SECONDS = 5.0


@contextmanager
def training_processes(count: int, rendezvous: Path, device: str) -> Iterator[Ranks]:
    """Start `count` − 1 additional training processes, and end them with the block.

    Parameters
    ----------
    rendezvous
        Path of the file through which the processes find each other.
    device
        As in the settings. With several GPUs, each process gets its own.

    Raises
    ------
    LostProcessError
        A process exited. If this process is blocked waiting for it, this process exits with
        LOST_PROCESS_STATUS.
    """
    if count == 1:
        yield ALONE
        return
    from vecaf.encoders.runtime import choose_device

    rendezvous.unlink(missing_ok=True)
    device = choose_device(device)
    others = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "vecaf.engine.training_processes",
                str(number),
                str(count),
                str(rendezvous),
                device,
            ],
            stdin=subprocess.DEVNULL,
        )
        for number in range(1, count)
    ]
    over = threading.Event()
    threading.Thread(target=_exit_with_others, args=(others, over), daemon=True).start()
    try:
        ranks = join(0, count, rendezvous, device)
        yield ranks
        over.set()
        ranks.send(None)
        leave()
        for other in others:
            other.wait(LEAVE_SECONDS)
    except Exception as error:
        over.set()
        if _has_exited(others):
            raise LostProcessError("A training process exited.") from error
        raise
    finally:
        over.set()
        for other in others:
            other.kill()
            other.wait()
        rendezvous.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run the functions that the first process sends, until it sends None."""
    number, count, rendezvous, device = arguments
    ranks = join(int(number), int(count), Path(rendezvous), device)
    while (received := ranks.receive()) is not None:
        function, given = received
        try:
            function(**given, reporter=SILENT, ranks=ranks)
        except UnreadableImageError:
            raise  # exit, because the first process waits for this one
        except VecafError:
            pass  # canceled or diverged: the first process raises the same error
    leave()
    return 0


def _exit_with_others(others: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """Exit soon after another training process exits: this process may be blocked waiting for it.

    If the communication layer detects the loss first, it raises an error instead.
    """
    while not over.wait(POLL_SECONDS):
        if any(other.poll() is not None for other in others):
            if not over.wait(DETECT_SECONDS):
                os._exit(LOST_PROCESS_STATUS)
            return


def _has_exited(others: list[subprocess.Popen[bytes]]) -> bool:
    """Return whether a training process has exited, or exits within a second."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        if any(other.poll() is not None for other in others):
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
