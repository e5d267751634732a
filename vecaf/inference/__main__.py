"""The desk's process: a JSON question a line on standard input, a JSON reply a line on output.

It ends with its standard input, that is with the server that asks.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading

import vecaf.inference.answers  # noqa: F401 (registers them)
from vecaf.inference.questions import Desk, answer
from vecaf.settings import Settings
from vecaf.store import Store


def main() -> None:
    # What libraries print must not come between the replies: their output goes to the log.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    questions: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            questions.put(line)
        os._exit(0)  # also in the midst of an answer that nobody waits for any more

    threading.Thread(target=read, name="questions", daemon=True).start()
    desk = Desk(Store(Settings.from_environment()))
    while True:
        reply = answer(desk, json.loads(questions.get()))
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
