"""A worker process beside the server, which ends with the server.

`python -m app.shell.worker` is that process: `python -m vecaf worker`, which also ends when its
standard input closes. The server holds the other end, so a killed server leaves no worker behind.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

STOP_SECONDS = 10.0  # a worker needs less to end its child process and return its job
SILENT_SECONDS = 1.5  # a longer wait is explained
SLOWEST_RESTART = 30.0

log = logging.getLogger(__name__)


class WorkerProcess:
    """Run the worker, restart it when it dies, and stop it with the server.

    Restarts wait 1, 2, 4 … at most 30 s, so that a worker that can't start uses little time.
    """

    def __init__(self, environment: Mapping[str, str], command: list[str] | None = None) -> None:
        self.environment = dict(environment)
        self.command = command or [sys.executable, "-m", __name__]
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="worker-process", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the worker: ask, wait, then kill. Return when it has ended.

        Ctrl-C during the wait asks again, and the worker then ends without saving.
        """
        self._stopping.set()
        if not self._thread.is_alive():
            return
        process = self.process
        if process is not None and process.poll() is None:
            process.terminate()
        try:
            self._thread.join(SILENT_SECONDS)
            if process is not None and process.poll() is None:
                print("Saving the run's progress (press Ctrl-C to stop at once).", flush=True)
            self._thread.join(STOP_SECONDS - SILENT_SECONDS)
        except KeyboardInterrupt:
            if process is not None:
                process.terminate()
            self._thread.join(SILENT_SECONDS)
        if process is not None and process.poll() is None:
            log.warning("The worker did not stop within %d s and was killed.", STOP_SECONDS)
            process.kill()
            process.wait()

    def _keep(self) -> None:
        wait = 1.0
        while not self._stopping.is_set():
            # A session of its own: Ctrl-C reaches only the server, which then stops the worker.
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            status = self.process.wait()
            if self._stopping.is_set():
                return
            log.warning("The worker ended with status %s. It restarts in %g s.", status, wait)
            self.restarts += 1
            self._stopping.wait(wait)
            wait = min(2 * wait, SLOWEST_RESTART)


def main() -> None:
    """Run a worker until standard input closes."""
    from vecaf.garbage_collection import collect_rarely

    collect_rarely()
    from vecaf.commands.cli import main as vecaf

    def follow() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="follow-server", daemon=True).start()
    sys.argv[1:] = ["worker"]
    vecaf()


if __name__ == "__main__":
    main()
