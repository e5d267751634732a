"""Comparisons of runs as sentences: which is better, by how much, and whether it may be chance."""

from __future__ import annotations

from collections.abc import Collection

from vecaf.evaluation.comparison import SEEDS, Difference, Interval
from vecaf.evaluation.metrics import MetricInfo
from vecaf.evaluation.run_groups import Saving, Verdict
from vecaf.wording import plural

from ..shell.formatting import percent

MAY_BE_CHANCE = "may be due to chance"
SINGULAR = {"labels": "label", "batches": "batch"}


def verdict_text(name: str, other: str, found: Verdict) -> str:
    """Return a paragraph that compares `name` with `other` at equal labels."""
    labels = plural(found.labeled, "labeled image")
    first, second = percent(found.first), percent(found.second)
    difference = found.difference
    if difference is None:
        return (
            f"{name} reaches {first} test accuracy and {other} reaches {second}, with {labels}. "
            "The runs have no stored predictions, so it is unknown whether the difference is "
            "due to chance. Repeat the runs to find out."
        )
    points = 100 * (found.first - found.second)
    low, high = _signed(100 * difference.low), _signed(100 * difference.high)
    over, advice = _basis(difference)
    return (
        f"{_head(name, other, points, difference.significant)} Test accuracy with {labels}: "
        f"{first} vs. {second}. Difference: "
        f"{_signed(points)} points (95% confidence interval {low} to {high}, {over}).{advice}"
    )


def _head(name: str, other: str, points: float, significant: bool) -> str:
    if significant:
        return f"{name} is {'better' if points > 0 else 'worse'} than {other}."
    if points == 0:
        return f"{name} and {other} are equally accurate."
    return (
        f"{name} is {'ahead of' if points > 0 else 'behind'} {other}, but the difference "
        f"{MAY_BE_CHANCE}."
    )


def _basis(found: Difference) -> tuple[str, str]:
    """Return what the interval is computed from, and advice if that is one seed."""
    if found.over == SEEDS:
        return f"{found.n} seeds", ""
    images = plural(found.n, "test image")
    return f"{images}, one seed", " Run more seeds for a reliable comparison."


def notice_kind(found: Verdict) -> str:
    """Return "good" for a significant lead, "quiet" if that is unknown, else "warn"."""
    if found.difference is None:
        return "quiet"
    return "good" if found.difference.significant and found.first > found.second else "warn"


def cost_text(costs: Collection[float | None], unit: str) -> str:
    """Return the mean cost over the seeds that reached a target: '120 labels', 'not reached'."""
    reached = [cost for cost in costs if cost is not None]
    if not reached:
        return "not reached" if costs else "–"
    mean = sum(reached) / len(reached)
    text = plural(round(mean), SINGULAR[unit], unit)
    if len(costs) > 1:
        text += f" ({len(reached)} of {len(costs)} seeds)"
    return text


def interval_text(found: Interval | None, metric: MetricInfo) -> str:
    """Return '71.2%' for one seed, '71.2% (69.8–72.6%, 3 seeds)' for more, '–' for none."""
    if found is None:
        return metric.text(None)
    text = metric.text(found.mean)
    if found.low is None or found.high is None:
        return text
    least, most = metric.bounds
    low = metric.text(max(least, found.low)).removesuffix("%")
    return f"{text} ({low}–{metric.text(min(most, found.high))}, {found.n} seeds)"


def saving_text(found: Saving | None) -> str:
    """Return '42% fewer' or '42% more', with a caveat if it may be chance; "" for None."""
    if found is None:
        return ""
    share = round(100 * abs(found.share))
    if share == 0:
        return "the same"
    text = f"{share}% {'fewer' if found.share > 0 else 'more'}"
    return text if found.holds else f"{text} ({MAY_BE_CHANCE})"


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "\u2212")
