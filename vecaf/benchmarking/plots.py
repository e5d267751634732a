"""Plots of accuracy by cost: a static SVG and an interactive HTML page."""

from __future__ import annotations

import hashlib
import html
import math
import re
from collections.abc import Callable, Collection, Sequence

from vecaf.benchmarking.series import Series
from vecaf.benchmarking.summary import round_numbers
from vecaf.evaluation.comparison import Interval

COLORS = (  # the color-blind safe palette of Okabe and Ito, then darker variants
    "#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
    "#6b4f9e", "#7f3b08", "#4d4d4d", "#01665e", "#8c2d04", "#9e9ac8", "#a6761d",
)  # fmt: skip
DASHES = ("", "6 4", "2 3")
MAX_MARKERS = 12  # lines with more points are drawn without markers
LABELS, BATCHES = "labels", "batches"
AXES = {LABELS: "labeled images", BATCHES: "batches (optimizer steps)"}
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 56, 190, 34, 46


def file_name(dataset: str, by: str) -> str:
    """Return a plot's file name without extension, safe for any dataset name."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", dataset).strip("-") or "dataset"
    if plain != dataset:  # two names may become equal
        plain += f"-{hashlib.sha256(dataset.encode()).hexdigest()[:6]}"
    return f"{plain}-accuracy-by-{by}"


def as_svg(title: str, axis: str, lines: Sequence[Series]) -> str:
    """Draw lines with confidence bands as an SVG, with cost on a logarithmic axis."""
    shown = [line for line in lines if line.spent]
    if not shown:
        return _frame(title, axis, "")
    left, right = _ends([x for line in shown for x in line.spent])
    low, high = _range([one for line in shown for one in line.accuracy])

    def x(spent: float) -> float:
        part = (math.log(max(spent, 1)) - left) / (right - left)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        part = (min(max(share, low), high) - low) / (high - low)
        return TOP + (1 - part) * (HEIGHT - TOP - BOTTOM)

    parts = [_grid(low, high, y), _marks({s for line in shown for s in line.spent}, x)]
    step = min(18.0, (HEIGHT - TOP - 16) / len(shown))  # so that the legend fits
    for number, line in enumerate(shown):
        color, dash = _style(number)
        upper = [
            (x(s), y(_edges(one)[1])) for s, one in zip(line.spent, line.accuracy, strict=True)
        ]
        lower = [
            (x(s), y(_edges(one)[0])) for s, one in zip(line.spent, line.accuracy, strict=True)
        ]
        middle = [(x(s), y(one.mean)) for s, one in zip(line.spent, line.accuracy, strict=True)]
        dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in middle)
        dots = dots if len(middle) <= MAX_MARKERS else ""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(
            f'<g fill="{color}" stroke="{color}">'
            f'<polygon points="{_path(upper + lower[::-1])}" opacity="0.12" stroke="none"/>'
            f'<polyline points="{_path(middle)}" fill="none" stroke-width="2"{dashed}/>{dots}</g>'
        )
        top = TOP + 8 + step * number
        start = WIDTH - RIGHT + 14
        parts.append(
            f'<line x1="{start}" x2="{start + 22}" y1="{top}" y2="{top}" stroke="{color}" '
            f'stroke-width="2"{dashed}/><text x="{start + 28}" y="{top + 4}">'
            f"{html.escape(line.name)}</text>"
        )
    return _frame(title, axis, "".join(parts))


def as_html(title: str, axis: str, lines: Sequence[Series]) -> str:
    """Draw lines as a self-contained interactive HTML page with Plotly."""
    import plotly.graph_objects as go

    figure = go.Figure(
        layout={
            "title": {"text": html.escape(title)},
            "template": "plotly_white",
            "xaxis": {"title": {"text": axis}, "type": "log"},
            "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".0%"},
        }
    )
    for number, line in enumerate(lines):
        color, dash = _style(number)
        edges = [_edges(one) for one in line.accuracy]
        figure.add_scatter(
            x=line.spent,
            y=[one.mean for one in line.accuracy],
            name=html.escape(line.name),
            mode="lines+markers",
            line={"color": color, "dash": dash.replace(" ", "px,") + "px" if dash else "solid"},
            error_y={
                "array": [
                    high - one.mean for one, (_, high) in zip(line.accuracy, edges, strict=True)
                ],
                "thickness": 1,
            },
        )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page


def _style(number: int) -> tuple[str, str]:
    return COLORS[number % len(COLORS)], DASHES[number // len(COLORS) % len(DASHES)]


def _edges(one: Interval) -> tuple[float, float]:
    return (one.mean if one.low is None else one.low), (one.mean if one.high is None else one.high)


def _ends(spent: Sequence[float]) -> tuple[float, float]:
    """Return the limits of the cost axis as logarithms, with a margin."""
    low, high = math.log(max(min(spent), 1)), math.log(max(*spent, 2))
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _range(points: Sequence[Interval]) -> tuple[float, float]:
    """Return the limits of the accuracy axis, rounded to 5 percentage points.

    Intervals that are much wider than the range of the means are cut off.
    """
    means = [one.mean for one in points]
    least, most = min(means), max(means)
    room = max(0.05, (most - least) / 2)
    low = max(0.0, least - room, min(_edges(one)[0] for one in points))
    high = min(1.0, most + room, max(_edges(one)[1] for one in points))
    low, high = math.floor(20 * low + 1e-9) / 20, math.ceil(20 * high - 1e-9) / 20
    return (low, high) if high > low else (max(0.0, low - 0.05), min(1.0, low + 0.05))


def _grid(low: float, high: float, y: Callable[[float], float]) -> str:
    steps = round((high - low) / 0.05)
    every = -(-steps // 8)
    made = ""
    for number in range(0, steps + 1, every):
        share = low + 0.05 * number
        at = y(share)
        made += (
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#d3cfc5"/>'
            f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    return made


def _marks(spent: Collection[float], x: Callable[[float], float]) -> str:
    """Draw tick labels: the costs of the points if there are few, otherwise round numbers."""
    numbers = sorted(spent) if len(spent) <= MAX_MARKERS else round_numbers(min(spent), max(spent))
    made, free = "", 0.0
    for number in numbers:
        if x(number) >= free:
            free = x(number) + 36
            made += (
                f'<text x="{x(number):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                f"{number:,.0f}</text>"
            )
    return made


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in places)


def _frame(title: str, axis: str, drawn: str) -> str:
    safe_title = html.escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{safe_title}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="{LEFT}" y="20" font-size="14">{safe_title}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}" fill="#6a665d">{html.escape(axis)}</text>'
        f"{drawn}</svg>\n"
    )
