"""Start time of the command line and the first page, with warm disk caches.

The time of the page is from the start of `python -m app` (with a worker, a new data folder and no
demo) to the response of `/`. CPU time is that of the server process only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from benchmarks.speed.figures import Figure, alternating, parser_of

TIMEOUT_SECONDS = 300.0


def measure(arguments: list[str]) -> Iterator[Figure]:
    options = parser_of("start", __doc__).parse_args(arguments)
    nothing, helped = alternating(
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        lambda: subprocess.run(
            [sys.executable, "-m", "vecaf", "--help"], check=True, stdout=subprocess.DEVNULL
        ),
        repeats=options.repeats,
        timer=options.timer,
    )
    yield Figure("`python -m vecaf --help`", helped, ("Python alone", nothing), limit=1)
    times = [served(options.timer is not time.perf_counter) for _ in range(options.repeats)]
    yield Figure("`python -m app` until the page is served", min(times), limit=8)


def served(by_processor: bool) -> float:
    """Start the studio and return the seconds until it serves the page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as home:
        command = [sys.executable, "-m", "app", "--port", str(port), "--home", home, "--no-demo"]
        started = time.perf_counter()
        server = subprocess.Popen(
            command, env={**os.environ, "DATABASE_URL": ""}, stderr=subprocess.DEVNULL
        )
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
                        page.read()
                    break
                except (urllib.error.URLError, ConnectionError):
                    if time.perf_counter() - started > TIMEOUT_SECONDS or server.poll() is not None:
                        raise
                    time.sleep(0.05)
            return _used(server.pid) if by_processor else time.perf_counter() - started
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def _used(pid: int) -> float:
    """Return the CPU time of a running process."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
