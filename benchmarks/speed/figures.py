"""A measured figure beside its floor or baseline, and how two things are timed side by side."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]

HEADER = "| figure | ours | beside it | ratio | goal | met |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Figure:
    """A row of the table. All times are in seconds.

    name    what was measured
    ours    how long the studio took
    beside  what was measured beside it, and how long that took (None: nothing was)
    faster  the goal, as a baseline: at least so many times faster than what is beside
    within  the goal, as a floor: at most so many times what is beside
    limit   the goal as a time
    note    stands behind the name, such as the memory that it took
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
        """Baseline / ours where the goal is to be faster than it, else ours / floor."""
        if self.beside is None:
            return None
        other = self.beside[1]
        return other / self.ours if self.faster is not None else self.ours / other

    @property
    def met(self) -> bool:
        """Whether every goal that the row has is reached."""
        ratio = self.ratio
        return (
            (self.faster is None or (ratio is not None and ratio >= self.faster))
            and (self.within is None or (ratio is not None and ratio <= self.within))
            and (self.limit is None or self.ours <= self.limit)
        )

    def row(self) -> str:
        """The figure as a row under HEADER."""
        goals = []
        if self.faster is not None:
            goals.append(f"≥ {self.faster:g}× as fast")
        if self.within is not None:
            goals.append(f"≤ {self.within:g}× the floor")
        if self.limit is not None:
            goals.append(f"≤ {self.limit:g} s")
        name = f"{self.name} ({self.note})" if self.note else self.name
        beside = f"{self.beside[0]}: {clock(self.beside[1])}" if self.beside else "–"
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}×"
        answer = "–" if not goals else "yes" if self.met else "no"
        cells = [name, clock(self.ours), beside, ratio, " and ".join(goals) or "–", answer]
        return f"| {' | '.join(cells)} |"


def clock(seconds: float) -> str:
    """'1.23 s', or milliseconds or microseconds where it is short."""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


def alternating(
    *programs: Callable[[], object], repeats: int = 3, timer: Clock = time.perf_counter
) -> list[float]:
    """The fewest seconds that each program took, taking turns: a busy machine slows all alike."""
    best = [float("inf")] * len(programs)
    for _ in range(repeats):
        for place, program in enumerate(programs):
            started = timer()
            program()
            best[place] = min(best[place], timer() - started)
    return best


def processor_seconds() -> float:
    """What this process and its ended children have used of the processors, all cores together."""
    ended = os.times()  # in hundredths; this process's own are finer
    return time.process_time() + ended.children_user + ended.children_system


def parser_of(program: str, doc: str | None, repeats: int = 3) -> argparse.ArgumentParser:
    """A program's command line, with the options that all have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.speed {program}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=repeats, help="turns; the best counts")
    parser.add_argument(
        "--processor",
        dest="timer",
        action="store_const",
        const=processor_seconds,
        default=time.perf_counter,
        help="count processor seconds of all cores: for a machine that others use, too",
    )
    return parser
