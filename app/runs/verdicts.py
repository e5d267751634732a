"""Comparisons in plain sentences: who won, by how much, and whether chance could have done it."""

from __future__ import annotations

from collections.abc import Collection

from app.shell import markup as m
from vecaf.evaluation.comparison import SEEDS, Difference, Interval
from vecaf.evaluation.run_groups import Saving, Verdict

MAY_BE_CHANCE = "may be chance"


def verdict_words(name: str, other: str, found: Verdict) -> str:
    """One paragraph, without markup, on the first against the second at equal labels."""
    points = 100 * (found.first - found.second)
    scores = (
        f"{m.percent(found.first)} against {m.percent(found.second)} with "
        f"{m.plural(found.labeled, 'labelled image')}"
    )
    if found.difference is None:
        return (
            f"{name} has {scores}. Whether that is chance can't be said: these runs kept no "
            "predictions. Resume or repeat them to know."
        )
    low, high = (100 * end for end in (found.difference.low, found.difference.high))
    spread = f"{_signed(points)} points, 95% interval {_signed(low)} to {_signed(high)}"
    if not found.difference.beyond_chance:
        if points > 0:
            head = f"{name} did not clearly beat {other}: its lead is within chance."
        elif points < 0:
            head = f"{name} did not beat {other}: it is behind, within chance."
        else:
            head = f"{name} did not beat {other}: they are level."
    elif points > 0:
        head = f"{name} beat {other}, by more than chance."
    else:
        head = f"{name} did not beat {other}: {other} is better, by more than chance."
    return f"{head} {scores} ({spread}, {over_words(found.difference)})."


def over_words(found: Difference) -> str:
    """What the interval is over, and what it therefore does not cover."""
    if found.over == SEEDS:
        return f"over {found.n} pairs of equal seeds"
    return (
        f"over the {m.plural(found.n, 'test image')} of one run each; it says nothing of other "
        "draws, for which it takes more seeds"
    )


def won(found: Verdict | None) -> str:
    """A notice's kind: good for a lead beyond chance, warn for a loss or no clear lead."""
    if found is None or found.difference is None:
        return "quiet"
    return "good" if found.difference.beyond_chance and found.first > found.second else "warn"


def cost_words(costs: Collection[float | None], unit: str) -> str:
    """What a target took, over the seeds that reached it: '120', '118 (102–134)', 'not reached'."""
    reached = [cost for cost in costs if cost is not None]
    if not reached:
        return "not reached" if costs else "–"
    mean = sum(reached) / len(reached)
    words = f"{m.number(round(mean))} {unit}"
    if len(costs) > 1:
        words += f" ({len(reached)} of {len(costs)} seeds)"
    return words


def interval_words(found: Interval) -> str:
    """'71.2%' for one seed, '71.2% (69.8–72.6%, 3 seeds)' for more."""
    words = m.percent(found.mean)
    if found.low is None or found.high is None:
        return words
    return f"{words} ({100 * found.low:.1f}–{100 * found.high:.1f}%, {found.n} seeds)"


def saving_words(found: Saving | None) -> str:
    """'42% fewer' or '42% more', with a caveat where it may be chance; '' for None."""
    if found is None:
        return ""
    percent = round(100 * abs(found.share))
    if percent == 0:
        return "the same"
    words = f"{percent}% {'fewer' if found.share > 0 else 'more'}"
    return words if found.holds else f"{words}, but this {MAY_BE_CHANCE}"


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "\u2212")
