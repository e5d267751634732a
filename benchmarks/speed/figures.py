"""Measured times with a baseline or lower bound, and functions to time programs in turns."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]

HEADER = "| figure | studio | reference | ratio | goal | met |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Figure:
    """A row of the table. All times are in seconds.

    Attributes
    ----------
    name
        What was measured.
    ours
        The time of the studio.
    beside
        The name and the time of the reference, if any.
    faster
        Goal: at least this many times faster than the reference (a baseline).
    within
        Goal: at most this many times the reference (a lower bound).
    limit
        Goal: at most this time.
    note
        Shown after the name, such as the memory used.
    """

    name: str
    ours: float
    beside: tuple[str, float] | None = None
    faster: float | None = None
    within: float | None = None
    limit: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Baseline / studio if the goal is to be faster, otherwise studio / lower bound."""
        if self.beside is None:
            return None
        other = self.beside[1]
        return other / self.ours if self.faster is not None else self.ours / other

    @property
    def met(self) -> bool:
        """Whether all goals of the row are met."""
        ratio = self.ratio
        return (
            (self.faster is None or (ratio is not None and ratio >= self.faster))
            and (self.within is None or (ratio is not None and ratio <= self.within))
            and (self.limit is None or self.ours <= self.limit)
        )

    def row(self) -> str:
        """Format the figure as a table row below HEADER."""
        goals = []
        if self.faster is not None:
            goals.append(f"≥ {self.faster:g}× as fast")
        if self.within is not None:
            goals.append(f"≤ {self.within:g}× the lower bound")
        if self.limit is not None:
            goals.append(f"≤ {self.limit:g} s")
        name = f"{self.name} ({self.note})" if self.note else self.name
        beside = f"{self.beside[0]}: {clock(self.beside[1])}" if self.beside else "–"
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}×"
        answer = "–" if not goals else "yes" if self.met else "no"
        cells = [name, clock(self.ours), beside, ratio, " and ".join(goals) or "–", answer]
        return f"| {' | '.join(cells)} |"


def clock(seconds: float) -> str:
    """Format a time in seconds, milliseconds or microseconds."""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


def alternating(
    *programs: Callable[[], object], repeats: int = 3, timer: Clock = time.perf_counter
) -> list[float]:
    """Run programs in turns, so that load affects all equally; return the minimum times."""
    best = [float("inf")] * len(programs)
    for _ in range(repeats):
        for place, program in enumerate(programs):
            started = timer()
            program()
            best[place] = min(best[place], timer() - started)
    return best


def processor_seconds() -> float:
    """Return the CPU time of this process and its finished children, summed over cores."""
    ended = os.times()  # has a resolution of 10 ms
    return time.process_time() + ended.children_user + ended.children_system


def parser_of(program: str, doc: str | None, repeats: int = 3) -> argparse.ArgumentParser:
    """Create a program's argument parser with the common options."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.speed {program}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--repeats", type=int, default=repeats, help="number of turns; the minimum counts"
    )
    parser.add_argument(
        "--processor",
        dest="timer",
        action="store_const",
        const=processor_seconds,
        default=time.perf_counter,
        help="measure CPU time instead of elapsed time, for a machine under load",
    )
    return parser
