"""Eager PyTorch with the memory allocation of the studio's processes, and with the default one.

Each measurement is a process of its own, because the C library reads its settings when a process
starts. The network has no weights, which its speed does not depend on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks.speed.figures import Figure, parser_of
from vecaf.allocation import VARIABLE, with_fast_allocation

ARCHITECTURE = "tf_efficientnet_lite0"
FORWARD, STEP = "forward pass of 32 images at 224 px", "training step of 16 images at 96 px"


def measure(arguments: list[str]) -> Iterator[Figure]:
    options = parser_of("allocation", __doc__, repeats=3).parse_args(arguments)
    default = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environments = {"studio": with_fast_allocation(default), "default": default}
    best: dict[str, dict[str, float]] = {name: {} for name in environments}
    for _ in range(options.repeats):
        for name, environment in environments.items():
            for what, seconds in _in_process(environment).items():
                best[name][what] = min(seconds, best[name].get(what, seconds))
    for what, seconds in best["studio"].items():
        yield Figure(what, seconds, ("default allocation", best["default"][what]), faster=1)


def _in_process(environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.speed.allocation"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def main() -> None:
    import timm
    import torch

    model: torch.nn.Module = timm.create_model(ARCHITECTURE, num_classes=10).eval()
    photos = torch.rand(32, 3, 224, 224)

    def forward() -> None:
        with torch.inference_mode():
            model(photos)

    seconds = {FORWARD: _fastest(forward)}
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    batch = torch.rand(16, 3, 96, 96)

    def step() -> None:
        optimizer.zero_grad()
        model(batch).sum().backward()
        optimizer.step()

    print(json.dumps(seconds | {STEP: _fastest(step)}))


def _fastest(work: Callable[[], None], count: int = 6) -> float:
    """Return the seconds of the fastest of several calls, after one that allocates memory."""
    work()
    best = float("inf")
    for _ in range(count):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
