"""What a tracker receives, and the registry of trackers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from vecaf.errors import InputError
from vecaf.registry import Registry
from vecaf.wording import installation


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker follows.

    Attributes
    ----------
    id
        Number of the run.
    name
        Name of the run.
    folder
        The folder of the run, in which a tracker can keep files between attempts.
    home
        The data folder of the studio.
    settings
        The settings of the run by name.
    """

    id: int
    name: str
    folder: Path
    home: Path
    settings: Mapping[str, Any]


class Tracker(Protocol):
    """Receives what a run records. Its methods can raise any exception.

    One thread calls the methods, in order. `step` counts optimizer steps since the start of the
    run.
    """

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record values by name, such as "training/train_loss" or "test/accuracy"."""

    def rewind(self, step: int) -> None:
        """Forget what was recorded after `step`, if possible: it is recorded again."""

    def table(self, name: str, step: int, columns: Mapping[str, Sequence[Any]]) -> None:
        """Record a table. `columns` have one entry per row."""

    def picture(self, name: str, step: int, path: Path) -> None:
        """Record a PNG file."""

    def model(self, folder: Path) -> None:
        """Record the files of the finished model."""

    def end(self, finished: bool) -> None:
        """Record that this attempt has ended, and whether the run is finished."""


@dataclass(frozen=True)
class TrackerInfo:
    """The description of a tracker.

    Attributes
    ----------
    name
        The name in the registry.
    description
        Where it records runs, as a sentence.
    package
        The package that it needs, as one imports it.
    extra
        The extra of vecaf-studio that installs the package.
    """

    name: str
    description: str
    package: str
    extra: str

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None


class TrackerFunction(Protocol):
    """Starts a tracker for a run, or resumes the one of an earlier attempt."""

    info: TrackerInfo
    __name__: str

    def __call__(self, run: TrackedRun, /) -> Tracker: ...


TRACKERS: Registry[TrackerFunction] = Registry("tracker")


def tracker(
    *, description: str, package: str, extra: str
) -> Callable[[Callable[[TrackedRun], Tracker]], TrackerFunction]:
    """Register a tracker under the name of the function. For the arguments see `TrackerInfo`."""

    def enter(function: Callable[[TrackedRun], Tracker]) -> TrackerFunction:
        entry = cast(TrackerFunction, function)
        entry.info = TrackerInfo(entry.__name__, description, package, extra)
        return TRACKERS.register(entry)

    return enter


def describe_trackers() -> list[TrackerInfo]:
    """Return the descriptions of all trackers."""
    return [TRACKERS[name].info for name in TRACKERS]


def tracker_names(text: str) -> list[str]:
    """Return the names in a comma-separated list, without repetitions."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def check_trackers(text: str) -> None:
    """Raise InputError if a tracker in the list is unknown, or its package is missing."""
    for name in tracker_names(text):
        info = TRACKERS[name].info
        if not info.installed:
            raise InputError(
                f"The tracker '{name}' needs the package '{info.package}'. "
                f"{installation(info.extra)}"
            )
