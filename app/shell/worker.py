"""Keeps one worker process alive beside the server, and never without it.

`python -m app.shell.worker` is that process: `python -m vecaf worker`, which also ends when its
standard input does. The server holds the other end, so a killed server leaves no worker behind.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

STOP_SECONDS = 10.0  # a worker ends its child and gives its job back within this
SILENT_SECONDS = 1.5  # a wait longer than this is explained
SLOWEST_RESTART = 30.0

log = logging.getLogger(__name__)


class WorkerKeeper:
    """Runs the worker, starts it again when it dies, stops it with the server.

    Restarts wait 1, 2, 4 … at most 30 s, so a worker that can't start does not spin.
    """

    def __init__(self, environment: Mapping[str, str], command: list[str] | None = None) -> None:
        self.environment = dict(environment)
        self.command = command or [sys.executable, "-m", "app.shell.worker"]
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="worker-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the worker: ask, wait, then kill. Returns when it is gone.

        Ctrl-C in the meantime asks again, at which a worker lets nothing be saved.
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
                print("Letting the run save its place (Ctrl-C ends it at once).", flush=True)
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
            # Its own session: Ctrl-C reaches the server alone, which then stops it in order.
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            status = self.process.wait()
            if self._stopping.is_set():
                return
            log.warning("The worker ended with status %s; it starts again in %g s.", status, wait)
            self.restarts += 1
            self._stopping.wait(wait)
            wait = min(2 * wait, SLOWEST_RESTART)


def main() -> None:
    """Be a worker for as long as standard input stays open."""
    from vecaf.commands.cli import main as vecaf

    def follow() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="follow-server", daemon=True).start()
    sys.argv[1:] = ["worker"]
    vecaf()


if __name__ == "__main__":
    main()
