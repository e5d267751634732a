"""Execute a run in one process, or in several that train together.

The settings decide: one process is this one; `torchrun`'s launcher starts several on this machine
(`vecaf.engine.torchrun`), and Ray Train on a cluster (`vecaf.engine.ray_training`). Each of them
executes `vecaf.engine.run_program`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from vecaf.encoders.runtime import choose_device
from vecaf.engine.attempt import AttemptStore
from vecaf.engine.paths import folder_of, settings_file
from vecaf.engine.run_program import run_program
from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.training.ranks import ALONE, FirstProcessError, join, leave

FOLDER = "processes"
DETECT_SECONDS = 1.0

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Launcher(Protocol):
    """Starts processes that join each other (`vecaf.training.ranks.join`)."""

    def __call__(self, program: Callable[[], T], count: int, device: str, folder: Path) -> T:
        """Call `program` in `count` processes, and return what the first of them returned.

        Parameters
        ----------
        program
            Picklable, because the processes start from scratch.
        device
            cpu or cuda:<index>.
        folder
            A new folder for files of the launcher, which all machines of the processes share.

        Raises
        ------
        LostProcessError
            A process exited without a result.
        MemoryError
            A process ran out of memory.
        """


def execute_run(
    store: Store, device: str, run_id: int, attempt: int, stopping: Callable[[], bool]
) -> None:
    """Do a run, or the rest of it, in as many processes as the settings say.

    Parameters
    ----------
    store
        The store of this attempt.
    device
        Of the run: auto, cpu, cuda …
    stopping
        Returns whether this process should stop.

    Raises
    ------
    VecafError
        The run failed, was canceled, or belongs to another attempt.
    LostProcessError
        One of several processes exited. The next attempt resumes from the checkpoint.
    """
    settings = store.settings
    if settings.processes == 1:
        run_program(ALONE, store, run_id, attempt, stopping)
        return
    launch, chosen = launcher_for(settings, device)
    program = RunInProcess(settings.home, settings.engine, chosen, run_id, attempt)
    folder = folder_of(settings, "run", run_id) / FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of a killed attempt
    folder.mkdir(parents=True)
    error = launch(program, settings.processes, chosen, folder)
    shutil.rmtree(folder)
    if error is not None:
        raise error


def launcher_for(settings: Settings, device: str) -> tuple[Launcher, str]:
    """Return the launcher of the engine that the settings name, and the device of its processes."""
    if settings.engine == "ray":
        from vecaf.engine.ray_training import cluster_device, launch_on_cluster

        return launch_on_cluster, cluster_device(device)
    from vecaf.engine.torchrun import launch_here

    return launch_here, choose_device(device)


@dataclass(frozen=True)
class RunInProcess:
    """What each of several processes calls."""

    home: Path
    engine: str
    device: str
    run_id: int
    attempt: int

    def __call__(self) -> Exception | None:
        """Execute the run; return the error that ended it in all processes.

        An error that only this process has is raised. It ends the process, and then the group.
        """
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        stopping = stop_event()
        ranks = join(self.device)
        try:
            store = AttemptStore(self.settings(), "run", self.run_id, self.attempt)
            run_program(ranks, store, self.run_id, self.attempt, stopping.is_set)
        except FirstProcessError as error:
            return error.__cause__ if isinstance(error.__cause__, Exception) else error
        except VecafError as error:
            return error
        except Exception:
            logger.exception("Training process %d failed.", ranks.number)
            # If another process was killed, let the launcher find that one first.
            time.sleep(DETECT_SECONDS)
            raise
        finally:
            leave()
        return None

    def settings(self) -> Settings:
        """Return the settings. On a cluster, a file has them, because they include a password."""
        if self.engine == "ray":
            os.environ |= json.loads(settings_file(self.home).read_text())
        return Settings.from_environment()


def stop_event() -> threading.Event:
    """Return an event that SIGTERM sets, in a process whose main thread calls this."""
    stopping = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    return stopping
