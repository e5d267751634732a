"""Response times with many users, and resources left by dropped event streams.

    python -m benchmarks.load [--clients 50] [--seconds 60] [--pause 3] [--streams 200]

Starts a studio on a temporary data folder and waits until the demo run has finished. Each client
then behaves like a browser: it opens a page, fetches the page's data and thumbnails, waits
`--pause` seconds, and opens the next page. After that, `--streams` event streams are opened and
aborted. Prints errors, percentiles of the response time, and the server's open files and threads
before and after. Exits with status 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.tabs import count, studio, wait_for
from vecaf.settings import Settings
from vecaf.store import FINISHED, Run, Store

P95_SECONDS = 1.0
SETTLE_SECONDS = 15.0  # the server notices dropped streams at their next heartbeat


@dataclass(frozen=True)
class Visit:
    """A page and the requests that its scripts send."""

    page: str
    data: tuple[str, ...] = ()


VISITS = (
    Visit("/"),
    Visit("/explore?dataset=1", ("/explore/start.json?dataset=1", "/explore/1/columns.bin",
                                 "/explore/1/keys.bin", "/explore/1/points.bin")),
    Visit("/explore?dataset=1", ("/explore/1/state.json", "/explore/1/image/1")),
    Visit("/select?dataset=1"),
    Visit("/finetune?dataset=1"),
    Visit("/runs", ("/api/v1/runs",)),
    Visit("/runs?run=1", ("/api/v1/runs/1",)),
    Visit("/predict?run=1", ("/api/v1/datasets",)),
)  # fmt: skip
THUMBS = 12  # on each page that shows images


@dataclass
class Responses:
    """The duration of each response in seconds, and the errors."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description="Response times with many users.")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two pages")
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder)) as (url, pid):
        wait_for(lambda: _finished(Path(folder)), "the demo run")
        responses = asyncio.run(visit_pages(url, options.clients, options.seconds, options.pause))
        before = open_resources(pid)
        asyncio.run(drop_streams(url, options.streams))
        after = wait_until_released(pid, before)
    p50, p95, most = (np.percentile(responses.seconds, q) for q in (50, 95, 100))
    print(
        f"{options.clients} clients, {options.seconds:.0f} s, {options.pause:g} s between pages: "
        f"{len(responses.seconds)} responses, {len(responses.errors)} errors"
    )
    print(f"p50 {p50:.2f} s, p95 {p95:.2f} s, at most {most:.2f} s (goal: p95 {P95_SECONDS:g} s)")
    for error in sorted(set(responses.errors))[:5]:
        print(f"  {error}")
    print(
        f"{options.streams} streams dropped: open files {before[0]} → {after[0]}, "
        f"threads {before[1]} → {after[1]}"
    )
    missed = responses.errors or p95 > P95_SECONDS or after[0] > before[0]
    sys.exit(1 if missed else 0)


def _finished(home: Path) -> bool:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    try:
        return count(store, Run, Run.state == FINISHED) > 0
    finally:
        store.close()


async def visit_pages(url: str, clients: int, seconds: float, pause: float) -> Responses:
    """Let `clients` visit the pages concurrently for so many seconds."""
    responses = Responses()
    end = time.monotonic() + seconds

    async def run_client(number: int) -> None:
        draw = random.Random(number)
        start = draw.randrange(len(VISITS))
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            await asyncio.sleep(draw.random() * pause)  # users do not click at the same time
            for visit in itertools.islice(itertools.cycle(VISITS), start, None):
                if time.monotonic() > end:
                    return
                thumbs = [f"/thumb/{draw.randrange(1, 600)}" for _ in range(THUMBS)]
                await _timed(client, visit.page, responses)
                rest = [*visit.data, *(thumbs if visit.data else ())]
                await asyncio.gather(*(_timed(client, path, responses) for path in rest))
                await asyncio.sleep(pause)

    await asyncio.gather(*(run_client(number) for number in range(clients)))
    return responses


async def _timed(client: httpx.AsyncClient, path: str, responses: Responses) -> None:
    began = time.monotonic()
    try:
        response = await client.get(path)
    except httpx.HTTPError as error:
        responses.errors.append(f"{path}: {error!r}")
        return
    responses.seconds.append(time.monotonic() - began)
    if response.status_code >= 400:
        responses.errors.append(f"{path}: status {response.status_code}")


async def drop_streams(url: str, streams: int) -> None:
    """Open event streams as pages do, read the status line, and abort all of them."""

    async def open_stream(number: int) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(*_address(url))
        path = f"/gradio_api/heartbeat/load{number}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\n\r\n".encode())
        await writer.drain()
        status = await reader.readline()
        if b" 200 " not in status:
            sys.exit(f"The server refused an event stream: {status.decode().strip()}")
        return writer

    writers = await asyncio.gather(*(open_stream(number) for number in range(streams)))
    for writer in writers:
        writer.transport.abort()


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def open_resources(pid: int) -> tuple[int, int]:
    """Return the numbers of open files and threads of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), len(
        list(Path(f"/proc/{pid}/task").iterdir())
    )


def wait_until_released(pid: int, before: tuple[int, int]) -> tuple[int, int]:
    """Wait until the open files are back at `before`, up to SETTLE_SECONDS."""
    end = time.monotonic() + SETTLE_SECONDS
    while open_resources(pid)[0] > before[0] and time.monotonic() < end:
        time.sleep(0.5)
    return open_resources(pid)


if __name__ == "__main__":
    main()
