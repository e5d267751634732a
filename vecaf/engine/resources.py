"""Resources that each kind of job requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vecaf.engine.protocol import Resources
from vecaf.errors import InputError
from vecaf.settings import GIB, Settings
from vecaf.store.jobs import Kind

DEFAULTS: dict[Kind, Resources] = {
    "run": Resources(cpus=4, gpus=1),
    "import": Resources(cpus=1),
    "task": Resources(cpus=2),
}
"""Tasks run on CPUs by default, so that they don't wait for the GPU of a long run."""


def resources_for(settings: Settings, kind: Kind, config: Mapping[str, Any]) -> Resources:
    """Return the resources that a job requests, by its kind and, for a run, by its own settings.

    An engine without GPUs ignores the GPUs, and an engine with small machines requests less.

    Parameters
    ----------
    config
        The settings of the run; empty for other jobs.

    Raises
    ------
    InputError
        VECAF_RUN_RESOURCES, VECAF_IMPORT_RESOURCES or VECAF_TASK_RESOURCES is invalid.
    """
    texts: dict[Kind, str] = {
        "run": settings.run_resources,
        "import": settings.import_resources,
        "task": settings.task_resources,
    }
    if kind == "run" and settings.engine == "ray" and settings.processes > 1:
        return Resources(cpus=1)  # Ray Train requests what the training processes need
    given = parse_resources(f"VECAF_{kind.upper()}_RESOURCES", texts[kind])
    default = DEFAULTS[kind]
    device = config.get("device", "auto")
    device = settings.device if device == "auto" else device
    gpus = given.get("gpus", default.gpus * (settings.processes if kind == "run" else 1))
    return Resources(
        cpus=given.get("cpus", default.cpus),
        gpus=gpus if device in ("auto", "cuda") else 0,
        memory=int(given["memory"] * GIB) if "memory" in given else default.memory,
    )


def parse_resources(name: str, text: str) -> dict[str, float]:
    """Parse `cpus=4 gpus=1 memory=16`. Raises InputError, which names the variable `name`."""
    found = {}
    for word in text.replace(",", " ").split():
        key, _, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if key not in ("cpus", "gpus", "memory") or not 0 <= number < float("inf"):
            raise InputError(
                f"{name} is '{text}'. Set it to values such as 'cpus=4 gpus=1 memory=16', where "
                "memory is in GiB."
            )
        found[key] = number
    return found
