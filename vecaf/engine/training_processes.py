"""The other processes that train a run.

`python -m vecaf.engine.training_processes NUMBER COUNT FILE DEVICE`

The child process of a run starts them in its own process group, so that whoever ends it ends them.
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

from vecaf.engine.attempt import LOST_STATUS, LostCompanionError
from vecaf.errors import UnreadableImageError, VecafError
from vecaf.training.ranks import ALONE, Ranks, join, leave
from vecaf.training.reporter import SILENT

LOOK_SECONDS = 0.2
LEAVE_SECONDS = 20.0


@contextmanager
def companions(count: int, meeting: Path, device: str) -> Iterator[Ranks]:
    """Start `count` − 1 processes that train along, and end them with the block.

    `meeting`: a path for the file by which they find each other. `device`: as in the settings; of
    several GPUs each process gets its own. Raises LostCompanionError where one is gone; if that
    leaves this process waiting for it, it exits with LOST_STATUS.
    """
    if count == 1:
        yield ALONE
        return
    from vecaf.encoders.runtime import choose_device

    meeting.unlink(missing_ok=True)
    device = choose_device(device)
    others = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "vecaf.engine.training_processes",
                str(number),
                str(count),
                str(meeting),
                device,
            ],
            stdin=subprocess.DEVNULL,
        )
        for number in range(1, count)
    ]
    over = threading.Event()
    threading.Thread(target=_watch, args=(others, over), daemon=True).start()
    try:
        ranks = join(0, count, meeting, device)
        yield ranks
        over.set()
        ranks.send(None)
        leave()
        for other in others:
            other.wait(LEAVE_SECONDS)
    except Exception as error:
        over.set()
        if _someone_lost(others):
            raise LostCompanionError("A process that trained the run is gone.") from error
        raise
    finally:
        over.set()
        for other in others:
            other.kill()
            other.wait()
        meeting.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Do what the first process tells, until it tells no more."""
    number, count, meeting, device = arguments
    ranks = join(int(number), int(count), Path(meeting), device)
    while (received := ranks.receive()) is not None:
        function, given = received
        try:
            function(**given, reporter=SILENT, ranks=ranks)
        except UnreadableImageError:
            raise  # the first process waits for this one, so this one must end
        except VecafError:
            pass  # canceled, or diverged: the first process says so
    leave()
    return 0


def _watch(others: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """End this process soon after a companion: it may wait for that one for ever."""
    while not over.wait(LOOK_SECONDS):
        if any(other.poll() is not None for other in others):
            if not over.wait(5.0):  # unless the communication has noticed by itself
                os._exit(LOST_STATUS)
            return


def _someone_lost(others: list[subprocess.Popen[bytes]]) -> bool:
    """Whether a companion ended by itself; it may just be ending."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        if any(other.poll() is not None for other in others):
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
