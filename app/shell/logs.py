"""The server's log, limited so that no client can fill it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
BURST = 10  # messages of one kind in a window
KINDS = 1000  # that are counted


@dataclass
class _Window:
    began: float
    seen: int = 0


class RateLimit(logging.Filter):
    """Pass `BURST` messages of a kind per minute. A kind is a logger and an unformatted text.

    The first message of the next minute says how many were omitted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, str(record.msg))
        with self._lock:
            now = self._clock()
            window = self._windows.setdefault(kind, _Window(now))
            left_out = 0
            if now - window.began >= WINDOW_SECONDS:
                left_out = max(0, window.seen - BURST)
                window.began, window.seen = now, 0
            window.seen += 1
            if len(self._windows) > KINDS:
                del self._windows[next(iter(self._windows))]
            shown = window.seen <= BURST
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} similar messages were omitted)"
            record.args = ()
        return shown


def set_up() -> None:
    """Log to standard error; from libraries that report every step, log only warnings."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    limit = RateLimit()
    for handler in logging.getLogger().handlers:
        handler.addFilter(limit)
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
