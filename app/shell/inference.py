"""The inference process: a warm process that answers questions which need a model.

It runs `python -m vecaf.inference`, starts at the first question, and ends after ten minutes
without one, because it uses about a gigabyte. A crash loses one answer. Questions wait on the event
loop, not in threads that pages need; one separate thread talks to the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from vecaf import errors
from vecaf.errors import BusyError, TooManyRequestsError, UnavailableError, VecafError

IDLE_SECONDS = 600.0
ANSWER_SECONDS = 120.0  # a first answer imports frameworks and may embed a thousand images
STOP_SECONDS = 3.0
USER_LIMIT = 4  # questions of one user that wait or are being answered
TOTAL_LIMIT = 32

Reply = dict[str, Any]


@dataclass(frozen=True)
class _Question:
    content: Reply
    reply: Future[Reply] = field(default_factory=Future)


class InferenceProcess:
    """Run one process, which answers one question at a time, in their order."""

    def __init__(
        self,
        environment: Mapping[str, str],
        command: list[str] | None = None,
        *,
        idle_seconds: float = IDLE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.environment = dict(environment)
        self.command = command or [sys.executable, "-m", "vecaf.inference"]
        self.idle_seconds, self.answer_seconds = idle_seconds, answer_seconds
        self.process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._questions: queue.Queue[_Question] = queue.Queue()
        self._waiting: Counter[int] = Counter()  # by user
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    async def ask(self, name: str, *, user: int, **arguments: Any) -> dict[str, Any]:
        """Return the answer to the question `name` of `user`.

        A question that is canceled before its turn is not sent.

        Raises
        ------
        VecafError
            The error that the process answered with.
        TooManyRequestsError
            The user has `USER_LIMIT` questions waiting.
        UnavailableError
            Too many questions are waiting, or the process takes too long or dies.
        """
        reply = self._enqueue(user, {"name": name, "user": user, "arguments": arguments})
        waiting = asyncio.wrap_future(reply)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=self.answer_seconds)
            if not done and reply.cancel():  # it has not been sent
                raise BusyError("The inference process is busy with other requests. Try again.")
            content = await waiting
        finally:
            reply.cancel()  # has no effect after the question was sent
            waiting.cancel()  # else a later error would be logged as never retrieved
        if "error" in content:
            kind = getattr(errors, str(content["kind"]), VecafError)
            raise kind(content["error"])
        answer: dict[str, Any] = content["answer"]
        return answer

    def prepare(self, name: str, *, user: int, **arguments: Any) -> bool:
        """Send a question only to warm up the process, so that it answers the next one sooner.

        Skip it if the user is waiting for an answer, or if too many questions are waiting. Return
        whether it was sent.
        """
        if not self._waiting[user]:
            with contextlib.suppress(TooManyRequestsError, BusyError):
                self._enqueue(user, {"name": name, "user": user, "arguments": arguments})
                return True
        return False

    def stop(self) -> None:
        """End the process, even during an answer. Later questions raise UnavailableError."""
        self._stopped = True
        self._end()

    def _enqueue(self, user: int, content: Reply) -> Future[Reply]:
        question = _Question(content)
        with self._lock:
            if self._waiting[user] >= USER_LIMIT:
                raise TooManyRequestsError(
                    f"{USER_LIMIT} of your requests are waiting for an answer. Wait for one of "
                    "them, then try again."
                )
            if self._waiting.total() >= TOTAL_LIMIT:
                raise BusyError(
                    f"{TOTAL_LIMIT} requests are waiting for an answer. Try again in a moment."
                )
            self._waiting[user] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
                self._thread.start()
        question.reply.add_done_callback(lambda _: self._leave(user))
        self._questions.put(question)
        return question.reply

    def _leave(self, user: int) -> None:
        with self._lock:
            self._waiting[user] -= 1
            if not self._waiting[user]:
                del self._waiting[user]

    def _work(self) -> None:
        """Send questions while the server runs. End the process when it is idle."""
        while True:
            try:
                question = self._questions.get(
                    timeout=None if self.process is None else self.idle_seconds
                )
            except queue.Empty:
                self._end()
                continue
            if not question.reply.set_running_or_notify_cancel():
                continue
            try:
                question.reply.set_result(self._exchange(question.content))
            except Exception as error:
                question.reply.set_exception(error)

    def _exchange(self, question: Reply) -> Reply:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = self._lines.get(timeout=self.answer_seconds)
        except queue.Empty:
            self._end()
            raise UnavailableError(
                f"The inference process did not answer within {self.answer_seconds:g} s. Try again."
            ) from None
        except (BrokenPipeError, ValueError):  # it has ended, or `stop` closed its input
            line = ""
        if not line:
            self._end()
            raise UnavailableError("The inference process ended unexpectedly. Try again.")
        reply: Reply = json.loads(line)
        return reply

    def _running(self) -> subprocess.Popen[str]:
        """Return the process; start it if it does not run."""
        if self.process is not None and self.process.poll() is None:
            return self.process
        self._end()
        lines: queue.Queue[str] = queue.Queue()
        with self._lock:  # so that `stop` ends a process that was started before it
            if self._stopped:
                raise UnavailableError("The studio is stopping.")
            self._lines = lines
            self.process = process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C reaches only the server, which stops it
            )
        assert process.stdout is not None
        stdout = process.stdout

        def read() -> None:
            with stdout:
                for line in stdout:
                    lines.put(line)
            lines.put("")  # the output has ended

        threading.Thread(target=read, name="inference-replies", daemon=True).start()
        return process

    def _end(self) -> None:
        with self._lock:
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
