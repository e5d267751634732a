"""Asks the desk, the warm process that answers what needs a model (`python -m vecaf.desk`).

It is started at the first question and ended when nobody has asked for a while, for it holds a
gigabyte or so; a crash costs one answer.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from vecaf import errors
from vecaf.errors import UnavailableError, VecafError

IDLE_SECONDS = 600.0
ANSWER_SECONDS = 120.0  # a first answer imports frameworks and may embed a thousand images
STOP_SECONDS = 3.0


class DeskKeeper:
    """One process, one question at a time; every method may be called from any thread."""

    def __init__(
        self,
        environment: Mapping[str, str],
        command: list[str] | None = None,
        *,
        idle_seconds: float = IDLE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.environment = dict(environment)
        self.command = command or [sys.executable, "-m", "vecaf.desk"]
        self.idle_seconds, self.answer_seconds = idle_seconds, answer_seconds
        self.process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        self._idle: threading.Timer | None = None
        self._stopped = False

    def ask(self, name: str, *, user: int, **arguments: Any) -> dict[str, Any]:
        """The desk's answer to the question `name`, asked as `user`.

        Raises the VecafError that the answer is, UnavailableError where the desk is busy for too
        long, takes too long, or dies over the question.
        """
        deadline = time.monotonic() + self.answer_seconds
        if not self._lock.acquire(timeout=self.answer_seconds):
            raise UnavailableError("Other questions are still being answered. Try again.")
        try:
            if self._stopped:
                raise UnavailableError("The studio is stopping.")
            if self._idle is not None:
                self._idle.cancel()
            reply = self._exchange({"name": name, "user": user, "arguments": arguments}, deadline)
            self._idle = threading.Timer(self.idle_seconds, self._end_idle)
            self._idle.daemon = True
            self._idle.start()
        finally:
            self._lock.release()
        if "error" in reply:
            kind = getattr(errors, str(reply["kind"]), VecafError)
            raise kind(reply["error"])
        answer: dict[str, Any] = reply["answer"]
        return answer

    def stop(self) -> None:
        """End the process, in the midst of an answer if need be; no question is taken after."""
        self._stopped = True
        if self._idle is not None:
            self._idle.cancel()
        self._end()

    def _exchange(self, question: dict[str, Any], deadline: float) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = self._replies.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            self._end()
            raise UnavailableError(
                f"There was no answer within {self.answer_seconds:g} s. Try again."
            ) from None
        except BrokenPipeError:
            line = ""
        if not line:
            self._end()
            raise UnavailableError("The answering process ended unexpectedly. Try again.")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _running(self) -> subprocess.Popen[str]:
        """The process, started where there is none or it has died since the last question."""
        if self.process is not None and self.process.poll() is None:
            return self.process
        self._end()
        replies: queue.Queue[str] = queue.Queue()
        self._replies = replies
        self.process = process = subprocess.Popen(
            self.command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C reaches the server alone, which then stops it in order
        )
        assert process.stdout is not None
        stdout = process.stdout

        def read() -> None:
            with stdout:
                for line in stdout:
                    replies.put(line)
            replies.put("")  # the end

        threading.Thread(target=read, name="desk-replies", daemon=True).start()
        return process

    def _end_idle(self) -> None:
        if self._lock.acquire(blocking=False):  # else somebody is asking: not idle after all
            try:
                self._end()
            finally:
                self._lock.release()

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
