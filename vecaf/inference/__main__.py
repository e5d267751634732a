"""The inference process: read one JSON request per line from standard input, write JSON replies.

The process exits when its standard input closes, which happens when the server exits.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading

from vecaf.garbage_collection import collect_rarely


def main() -> None:
    import vecaf.inference.handlers  # noqa: F401 (registers them)
    from vecaf.inference.requests import InferenceContext, handle
    from vecaf.settings import Settings
    from vecaf.store import Store

    # Send the output of libraries to the log, so that it does not mix with the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    requests: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)  # even during a request, because nobody waits for its reply

    threading.Thread(target=read, name="requests", daemon=True).start()
    context = InferenceContext(Store(Settings.from_environment()))
    while True:
        reply = handle(context, json.loads(requests.get()))
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    collect_rarely()
    main()
