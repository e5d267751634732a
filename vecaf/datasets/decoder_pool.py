"""Decode the images of an import in separate processes with limits on time and memory.

A malicious file can make a decoder hang, take gigabytes, or crash. Then only its process ends; the
import refuses the file and goes on with a new process. The processes are forks of this one, which
start in milliseconds. They end with it, because their pipes close.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from vecaf.datasets.import_decoding import LARGE, Decoded, Outcome, check_images
from vecaf.datasets.import_report import Refused
from vecaf.datasets.process_limits import (
    CPU_SECONDS,
    MEMORY_BYTES,
    limit_memory,
    limit_processor_time,
)
from vecaf.datasets.refused_thumbnail import refused_thumbnail
from vecaf.settings import Limits

TOO_SLOW = "it takes too long to decode"
CRASHED = "the image decoder crashed on it"


class DecoderPool:
    """Decoder processes, which several threads use."""

    def __init__(
        self,
        limits: Limits,
        processes: int | None = None,
        *,
        cpu_seconds: int = CPU_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Use `processes` (default: one per core); each starts when it is needed first."""
        self._limits, self._cpu_seconds, self._memory_bytes = limits, cpu_seconds, memory_bytes
        self._idle: SimpleQueue[_Process | None] = SimpleQueue()
        self._running: set[_Process] = set()
        self._lock = threading.Lock()  # multiprocessing's list of children is not thread-safe
        self._one_large = threading.Lock()
        self._closed = False
        for _ in range(processes or len(os.sched_getaffinity(0))):
            self._idle.put(None)

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill all processes. Calls in progress raise Refused."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()

    def check(self, contents: Sequence[bytes]) -> list[Decoded | Refused]:
        """Check images as `vecaf.datasets.images.check`; return a result for each.

        Large images are decoded one at a time, to limit memory.
        """
        try:
            outcomes = self._check(contents, large=False)
        except Refused as reason:
            if len(contents) == 1:
                return [reason]
            return [self.check([content])[0] for content in contents]  # find the file that ended it
        return [
            self._large(content) if outcome is LARGE else _result(outcome)
            for content, outcome in zip(contents, outcomes, strict=True)
        ]

    def thumbnail(self, content: bytes) -> bytes | None:
        """Return a thumbnail of a refused file, None if there is none."""
        try:
            thumb: bytes | None = self._call(_thumbnail, content, self._limits, self._cpu_seconds)
        except Refused:
            return None
        return thumb

    def _large(self, content: bytes) -> Decoded | Refused:
        with self._one_large:
            try:
                return _result(self._check([content], large=True)[0])
            except Refused as reason:
                return reason

    def _check(self, contents: Sequence[bytes], *, large: bool) -> list[Outcome]:
        outcomes: list[Outcome] = self._call(
            check_images, contents, self._limits, self._cpu_seconds, large
        )
        return outcomes

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a function in a process. Raises Refused if that ends the process."""
        process = self._idle.get()
        try:
            process = process or self._start()
            try:
                return process.call(function, arguments)
            except (EOFError, OSError):
                ended, process = process, None
                raise Refused(self._remove(ended)) from None
        finally:
            self._idle.put(process)

    def _start(self) -> _Process:
        with self._lock:
            if self._closed:
                raise Refused("the import has ended")
            process = _Process(self._memory_bytes)
            self._running.add(process)
        return process

    def _remove(self, process: _Process) -> str:
        """Reap a process that ended, and return the reason to refuse its file."""
        with self._lock:
            self._running.discard(process)
            process.kill()
        return TOO_SLOW if process.status == -signal.SIGXCPU else CRASHED


class _Process:
    """One decoder process."""

    def __init__(self, memory_bytes: int) -> None:
        context = multiprocessing.get_context("fork")
        self._connection, there = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(there, self._connection, memory_bytes), daemon=True
        )
        with there:
            self._process.start()

    @property
    def status(self) -> int | None:
        return self._process.exitcode

    def call(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        """Return the result. Raises EOFError or OSError if the process ends instead."""
        self._connection.send((function, arguments))
        return self._connection.recv()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, other: Connection, memory_bytes: int) -> None:
    """Answer calls until the importing process closes its end of the pipe."""
    other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the importing process handles Ctrl-C
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    limit_memory(memory_bytes)
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(function(*arguments))


def _thumbnail(content: bytes, limits: Limits, cpu_seconds: int) -> bytes | None:
    limit_processor_time(cpu_seconds)
    return refused_thumbnail(content, limits)


def _result(outcome: Outcome) -> Decoded | Refused:
    assert outcome is not LARGE
    return Refused(outcome) if isinstance(outcome, str) else outcome
