"""Decode images in separate processes with limits on time and memory.

A malicious file can make a decoder take minutes and gigabytes, or crash. This must not affect the
process that serves pages. The fork server of multiprocessing has the libraries loaded. It forks a
process for each call, which returns all of its memory when it ends.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

from vecaf import errors
from vecaf.datasets.process_limits import (
    CPU_SECONDS,
    MEMORY_BYTES,
    limit_memory,
    limit_processor_time,
)
from vecaf.errors import (
    BusyError,
    LimitExceededError,
    TooManyRequestsError,
    UnavailableError,
    VecafError,
)

PROCESSES = min(4, max(2, os.cpu_count() or 1))
WALL_SECONDS = 60.0
USER_LIMIT = 16  # calls of one user that wait or run; a browser opens 6 connections
TOTAL_LIMIT = 128
LOADED = [__name__, "vecaf.datasets.decoding", "vecaf.evaluation.corruptions.preview"]

Function = Callable[..., bytes]
"""A function of a module, called with arguments that can be pickled."""


class Decoder:
    """Run functions on image files, one call per user at a time."""

    def __init__(
        self,
        processes: int = PROCESSES,
        *,
        cpu_seconds: int = CPU_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.cpu_seconds, self.memory_bytes = cpu_seconds, memory_bytes
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="decoder")
        self._children = threading.Lock()  # multiprocessing's list of them is not thread-safe
        self._waiting: Counter[int] = Counter()  # by user
        self._turns: dict[int, asyncio.Lock] = {}
        self._calls: set[_Call] = set()
        self._stopped = False

    async def run(self, user: int, function: Function, *arguments: object) -> bytes:
        """Return `function(*arguments)`, called in a separate process.

        Cancellation ends the process.

        Raises
        ------
        VecafError
            The error that the function raised.
        LimitExceededError
            The function needed too much time or memory.
        TooManyRequestsError, BusyError
            Too many calls of the user, or of all users, are waiting.
        UnavailableError
            The process ended unexpectedly, or the studio is stopping.
        """
        with self._place(user) as turn:
            async with turn:
                if self._stopped:
                    raise UnavailableError("The studio is stopping.")
                limits = (self.cpu_seconds, self.memory_bytes)
                call = _Call(self._children, (*limits, function, arguments))
                self._calls.add(call)
                try:
                    loop = asyncio.get_running_loop()
                    return _read(await loop.run_in_executor(self._threads, call.reply))
                finally:
                    self._calls.remove(call)
                    call.abandon()

    def stop(self) -> None:
        """End all processes. Later calls raise UnavailableError."""
        self._stopped = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for call in list(self._calls):
            call.abandon()

    @contextmanager
    def _place(self, user: int) -> Iterator[asyncio.Lock]:
        if self._waiting[user] >= USER_LIMIT:
            raise TooManyRequestsError(
                f"{USER_LIMIT} of your images are waiting to be opened. Wait for one of them, then "
                "try again."
            )
        if self._waiting.total() >= TOTAL_LIMIT:
            raise BusyError("Too many images are waiting to be opened. Try again in a moment.")
        self._waiting[user] += 1
        try:
            yield self._turns.setdefault(user, asyncio.Lock())
        finally:
            self._waiting[user] -= 1
            if not self._waiting[user]:
                del self._waiting[user], self._turns[user]


class _Call:
    """One call of `_work` in a separate process."""

    def __init__(self, children: threading.Lock, arguments: tuple[object, ...]) -> None:
        self._children = children
        self._arguments = arguments
        self._process: multiprocessing.process.BaseProcess | None = None
        self._abandoned = False

    def reply(self) -> bytes:
        """Return what the process sends."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LOADED)
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(there, *self._arguments), daemon=True)
        with here:
            with there, self._children:
                process.start()
            self._process = process
            try:
                if self._abandoned:
                    raise UnavailableError("The request for this image was canceled.")
                if not here.poll(WALL_SECONDS):
                    raise BusyError("The studio is too busy to open this image. Try again later.")
                return here.recv_bytes()
            except EOFError:
                with self._children:
                    process.join()
                raise _death(process.exitcode) from None
            finally:
                process.kill()
                with self._children:
                    process.join()

    def abandon(self) -> None:
        """End the process. Any thread may call this."""
        self._abandoned = True
        if self._process is not None:
            self._process.kill()


def _death(status: int | None) -> VecafError:
    if status == -signal.SIGXCPU:
        return LimitExceededError("This image can't be used: it takes too long to decode.")
    return UnavailableError("The process that opens images ended unexpectedly. Try again.")


def _read(reply: bytes) -> bytes:
    """Return the result in a reply, or raise the error in it."""
    kind, content = reply[:1], reply[1:]
    if kind == b"+":
        return content
    error = json.loads(content)
    raise getattr(errors, error["kind"], VecafError)(error["error"])


def _work(
    connection: Connection,
    cpu_seconds: int,
    memory_bytes: int,
    function: Function,
    arguments: tuple[object, ...],
) -> None:
    """Call the function and send its result. This runs in the separate process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C
    limit_memory(memory_bytes)
    limit_processor_time(cpu_seconds)
    try:
        reply = b"+" + function(*arguments)
    except VecafError as error:
        reply = _failure(error)
    except MemoryError:
        reply = _failure(LimitExceededError("This image can't be used: it needs too much memory."))
    connection.send_bytes(reply)


def _failure(error: VecafError) -> bytes:
    return b"-" + json.dumps({"kind": type(error).__name__, "error": str(error)}).encode()
