"""The process of an attempt on a node of a Ray cluster.

    python -m vecaf.engine.ray_child HOME HOME_ID KIND ID ATTEMPT

It reads the settings from the data folder, which all nodes share: in the environment of a Ray job,
the password of the database would be visible in Ray's dashboard.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import cast

from vecaf.engine.attempt import NO_HOME_STATUS
from vecaf.engine.paths import settings_file


def main(arguments: list[str]) -> int:
    """Run the attempt that the arguments name, and return the exit status."""
    home, home_id, *attempt = arguments
    if not prepare(Path(home), home_id):
        print(f"This node does not have the data folder {home}.", flush=True)
        return NO_HOME_STATUS
    from vecaf.engine import child
    from vecaf.engine.paths import log_of
    from vecaf.engine.process_setup import be_killed_first
    from vecaf.settings import Settings
    from vecaf.store.jobs import Kind

    log = log_of(Settings.from_environment(), cast(Kind, attempt[0]), int(attempt[1]))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    be_killed_first()
    return child.main(attempt)


def prepare(home: Path, home_id: str) -> bool:
    """Set the environment variables of the settings; return whether this node has the folder."""
    try:
        if (home / "home-id").read_text().strip() != home_id:
            return False
        os.environ |= json.loads(settings_file(home).read_text())
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
