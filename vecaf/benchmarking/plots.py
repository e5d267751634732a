"""Plots of accuracy by cost: a static SVG and an interactive HTML page."""

from __future__ import annotations

import hashlib
import html
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from vecaf.benchmarking.series import Series
from vecaf.benchmarking.summary import round_numbers
from vecaf.drawing import render
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


@dataclass(frozen=True)
class PlotLine:
    """A line with its confidence band. `band` and `path` are points of an SVG element."""

    name: str
    color: str
    dash: str
    band: str
    path: str
    dots: Sequence[tuple[float, float]]
    legend_y: float


@dataclass(frozen=True)
class Plot:
    """What a plot shows. `grid`: (y, label) of each grid line. `ticks`: (x, label) of each tick."""

    grid: Sequence[tuple[float, str]] = ()
    ticks: Sequence[tuple[float, str]] = ()
    lines: Sequence[PlotLine] = ()


def as_svg(title: str, axis: str, lines: Sequence[Series]) -> str:
    """Draw lines with confidence bands as an SVG, with cost on a logarithmic axis."""
    shown = [line for line in lines if line.spent]
    return render(
        "benchmarking/plot.svg",
        title=title,
        axis=axis,
        plot=_plot(shown) if shown else Plot(),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=HEIGHT - BOTTOM,
    )


def _plot(shown: Sequence[Series]) -> Plot:
    left, right = _ends([x for line in shown for x in line.spent])
    low, high = _range([one for line in shown for one in line.accuracy])

    def x(spent: float) -> float:
        part = (math.log(max(spent, 1)) - left) / (right - left)
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        part = (min(max(share, low), high) - low) / (high - low)
        return round(TOP + (1 - part) * (HEIGHT - TOP - BOTTOM), 1)

    step = min(18.0, (HEIGHT - TOP - 16) / len(shown))  # so that the legend fits
    drawn = []
    for number, line in enumerate(shown):
        points = list(zip(line.spent, line.accuracy, strict=True))
        upper = [(x(spent), y(_edges(one)[1])) for spent, one in points]
        lower = [(x(spent), y(_edges(one)[0])) for spent, one in points]
        middle = [(x(spent), y(one.mean)) for spent, one in points]
        dots = middle if len(middle) <= MAX_MARKERS else []
        band, legend_y = _path(upper + lower[::-1]), round(TOP + 8 + step * number, 1)
        drawn.append(PlotLine(line.name, *_style(number), band, _path(middle), dots, legend_y))
    costs = {spent for line in shown for spent in line.spent}
    return Plot(_grid(low, high, y), _ticks(costs, x), drawn)


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


def _grid(low: float, high: float, y: Callable[[float], float]) -> list[tuple[float, str]]:
    steps = round((high - low) / 0.05)
    every = -(-steps // 8)
    shares = [low + 0.05 * number for number in range(0, steps + 1, every)]
    return [(y(share), f"{share:.0%}") for share in shares]


def _ticks(spent: Collection[float], x: Callable[[float], float]) -> list[tuple[float, str]]:
    """Return tick labels: the costs of the points if there are few, otherwise round numbers."""
    numbers = sorted(spent) if len(spent) <= MAX_MARKERS else round_numbers(min(spent), max(spent))
    made: list[tuple[float, str]] = []
    for number in numbers:
        if not made or x(number) >= made[-1][0] + 36:  # so that labels don't overlap
            made.append((x(number), f"{number:,.0f}"))
    return made


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a},{b}" for a, b in places)
