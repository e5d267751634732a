"""Call a tracker in a thread of its own, so that it can neither stop nor delay a run."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable
from typing import Any

from vecaf.errors import first_line
from vecaf.trackers.tracker import Tracker

FAILURES = 3
"""Consecutive failures after which a tracker gets nothing more from this attempt."""
END_SECONDS = 30.0
"""How long the end of a run waits for records that are still being sent."""

CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")

logger = logging.getLogger("vecaf.run")

Start = Callable[[], Tracker]


class Sender:
    """Sends records to one tracker, in order.

    Parameters
    ----------
    name
        The tracker, for messages.
    start
        Starts the tracker. It is called in the thread, too.
    """

    def __init__(self, name: str, start: Start) -> None:
        self.name = name
        self._records: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._problems: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=(start,), daemon=True)
        self._thread.start()

    def send(self, method: str, *arguments: Any) -> None:
        """Queue a call of a method of the tracker."""
        self._records.put((method, arguments))

    def problems(self) -> list[str]:
        """Return the messages about failures since the last call."""
        found = []
        while not self._problems.empty():
            found.append(self._problems.get())
        return found

    def close(self, seconds: float = END_SECONDS) -> list[str]:
        """Wait for the records that are still being sent, and return the remaining messages."""
        self._records.put(None)
        self._thread.join(seconds)
        unfinished = []
        if self._thread.is_alive():
            unfinished = [f"{self.name} did not answer in time. Some records were not sent to it."]
        return self.problems() + unfinished

    def _work(self, start: Start) -> None:
        tracker: Tracker | None = None
        failed = 0
        while (record := self._records.get()) is not None:
            if failed == FAILURES:
                continue
            try:
                tracker = tracker or start()
                getattr(tracker, record[0])(*record[1])
                failed = 0
            except Exception as error:  # a tracker can raise anything; the run must continue
                logger.warning("%s failed.", self.name, exc_info=True)
                failed += 1
                if failed == 1:
                    reason = CREDENTIALS.sub("", first_line(error)).rstrip(".")
                    self._problems.put(
                        f"{self.name} could not record everything ({reason}). The run continues."
                    )
                if failed == FAILURES:
                    self._problems.put(
                        f"{self.name} failed {FAILURES} times in a row. The run stops reporting to "
                        "it; if you resume the run, it tries again. The reason is in the log."
                    )
