"""Report what each node of a Ray cluster has; `vecaf.housekeeping.cluster_check` submits it.

    python -m vecaf.engine.ray_probe HOME HOME_ID

Prints one JSON line per node, after MARK.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MARK = "node: "
WAIT_SECONDS = 60.0  # for the answer of a node


def look(home: str, home_id: str) -> dict[str, Any]:
    """Return the versions, the token mode and the data folder of this node.

    Ray sends this function to the nodes, so it uses nothing else of the module.
    """
    import os
    import platform
    import tempfile
    from importlib.util import find_spec
    from pathlib import Path

    import ray

    folder, error = Path(home), ""
    try:
        if (folder / "home-id").read_text().strip() != home_id:
            error = "has another folder there"
        else:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".node-"):
                pass
    except OSError as problem:
        error = f"can't use it ({problem.strerror})"
    return {
        "python": platform.python_version(),
        "ray": ray.__version__,
        "studio": find_spec("vecaf") is not None,
        "token": os.environ.get("RAY_AUTH_MODE") == "token",
        "folder": error,
    }


def main(home: str, home_id: str) -> None:
    """Ask every node, and print its answer."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.init(address="auto", log_to_driver=False)
    asked = ray.remote(num_cpus=0, max_retries=0)(look)
    answers = {}
    for node in ray.nodes():
        if node["Alive"]:
            place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answers[asked.options(scheduling_strategy=place).remote(home, home_id)] = node
    ray.wait(list(answers), num_returns=len(answers), timeout=WAIT_SECONDS)
    for answer, node in answers.items():
        found = {"node": node["NodeName"], "gpus": node["Resources"].get("GPU", 0)}
        try:
            seen: dict[str, Any] = ray.get(answer, timeout=0.1)
            found |= seen
        except ray.exceptions.RayError as error:
            found["error"] = str(error).splitlines()[0]
        print(MARK + json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
