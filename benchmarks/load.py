"""Response times with many people at once, and what dropped event streams leave behind.

    python -m benchmarks.load [--clients 50] [--seconds 60] [--pause 3] [--streams 200]

Starts a studio on a temporary home and waits until its demo has a finished run. Each client then
does what a browser does when somebody walks through the studio: it opens a page, fetches that
page's data and thumbnails, waits `--pause` seconds, and opens the next page. After that,
`--streams` event streams are opened and aborted. Prints errors, percentiles of
the response time, and the server's open files and threads before and after; exits 1 where a goal
is missed.
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
SETTLE_SECONDS = 15.0  # dropped streams are noticed at their next heartbeat, not at once


@dataclass(frozen=True)
class Place:
    """A page and the requests that its scripts send."""

    page: str
    data: tuple[str, ...] = ()


WALK = (
    Place("/"),
    Place("/explore?dataset=1", ("/explore/start.json?dataset=1", "/explore/1/columns.bin",
                                 "/explore/1/keys.bin", "/explore/1/points.bin")),
    Place("/explore?dataset=1", ("/explore/1/state.json", "/explore/1/image/1")),
    Place("/select?dataset=1"),
    Place("/finetune?dataset=1"),
    Place("/runs", ("/api/v1/runs",)),
    Place("/runs?run=1", ("/api/v1/runs/1",)),
    Place("/predict?run=1", ("/api/v1/datasets",)),
)  # fmt: skip
THUMBS = 12  # on each page that shows images


@dataclass
class Answers:
    """Seconds of each response, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description="Response times with many people at once.")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two pages (3)")
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder)) as (url, pid):
        wait_for(lambda: _finished(Path(folder)), "the demo's run")
        answers = asyncio.run(walk(url, options.clients, options.seconds, options.pause))
        before = belongings(pid)
        asyncio.run(drop_streams(url, options.streams))
        after = settled(pid, before)
    p50, p95, most = (np.percentile(answers.seconds, q) for q in (50, 95, 100))
    print(
        f"{options.clients} clients, {options.seconds:.0f} s, {options.pause:g} s between pages: "
        f"{len(answers.seconds)} responses, {len(answers.errors)} errors"
    )
    print(f"p50 {p50:.2f} s, p95 {p95:.2f} s, at most {most:.2f} s (goal: p95 {P95_SECONDS:g} s)")
    for error in sorted(set(answers.errors))[:5]:
        print(f"  {error}")
    print(
        f"{options.streams} streams dropped: open files {before[0]} → {after[0]}, "
        f"threads {before[1]} → {after[1]}"
    )
    missed = answers.errors or p95 > P95_SECONDS or after[0] > before[0]
    sys.exit(1 if missed else 0)


def _finished(home: Path) -> bool:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    try:
        return count(store, Run, Run.state == FINISHED) > 0
    finally:
        store.close()


async def walk(url: str, clients: int, seconds: float, pause: float) -> Answers:
    """Let `clients` walk through the studio side by side for so many seconds."""
    answers = Answers()
    end = time.monotonic() + seconds

    async def visitor(number: int) -> None:
        draw = random.Random(number)
        start = draw.randrange(len(WALK))
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            await asyncio.sleep(draw.random() * pause)  # people do not click in step
            for place in itertools.islice(itertools.cycle(WALK), start, None):
                if time.monotonic() > end:
                    return
                thumbs = [f"/thumb/{draw.randrange(1, 600)}" for _ in range(THUMBS)]
                await _timed(client, place.page, answers)
                rest = [*place.data, *(thumbs if place.data else ())]
                await asyncio.gather(*(_timed(client, path, answers) for path in rest))
                await asyncio.sleep(pause)

    await asyncio.gather(*(visitor(number) for number in range(clients)))
    return answers


async def _timed(client: httpx.AsyncClient, path: str, answers: Answers) -> None:
    began = time.monotonic()
    try:
        response = await client.get(path)
    except httpx.HTTPError as error:
        answers.errors.append(f"{path}: {error!r}")
        return
    answers.seconds.append(time.monotonic() - began)
    if response.status_code >= 400:
        answers.errors.append(f"{path}: status {response.status_code}")


async def drop_streams(url: str, streams: int) -> None:
    """Open event streams as pages do, read their first bytes, and drop them all at once."""

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


def belongings(pid: int) -> tuple[int, int]:
    """How many files a process has open, and how many threads it has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), len(
        list(Path(f"/proc/{pid}/task").iterdir())
    )


def settled(pid: int, before: tuple[int, int]) -> tuple[int, int]:
    """`belongings` once they are back at `before`, or after SETTLE_SECONDS."""
    end = time.monotonic() + SETTLE_SECONDS
    while belongings(pid)[0] > before[0] and time.monotonic() < end:
        time.sleep(0.5)
    return belongings(pid)


if __name__ == "__main__":
    main()
