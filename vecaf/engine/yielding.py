"""Let a background task stop while another job needs the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from vecaf.store import Store
from vecaf.store.background import should_yield

CHECK_SECONDS = 0.3
NICENESS = 19  # the lowest priority: the task uses what other processes leave


class Yielding:
    """Tells a background task when to stop, and remembers whether it yielded."""

    def __init__(self, store: Store, should_stop: Callable[[], bool]) -> None:
        """`should_stop` returns whether the task is to stop for another reason."""
        self._store, self._other_reason = store, should_stop
        self._checked_at = 0.0
        self.yielded = False
        # Threads have their own priorities. The group of a process that leads it includes them all.
        leads = os.getpgrp() == os.getpid()
        os.setpriority(os.PRIO_PGRP if leads else os.PRIO_PROCESS, 0, NICENESS)

    def should_stop(self) -> bool:
        if self._other_reason():
            return True
        if not self.yielded and time.monotonic() - self._checked_at > CHECK_SECONDS:
            self._checked_at = time.monotonic()
            with self._store.read() as session:
                self.yielded = should_yield(session)
        return self.yielded
