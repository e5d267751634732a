"""The registry of metrics, which measure a classifier's predictions on labeled samples.

A registered metric is measured after each round and by `vecaf evaluate`. Pages, exports, the HTTP
API, and `--json` show it. Its function is pure and receives one sample or more:

logits : array of shape (n, classes)
labels : array of shape (n,), class indices
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Labels, softmax
from vecaf.errors import InputError
from vecaf.registry import Registry


@dataclass(frozen=True)
class MetricInfo:
    """The description of a metric, for pages and the command line.

    Attributes
    ----------
    name
        The name in the registry.
    label
        Its name in sentences and tables, in lower case.
    description
        One sentence.
    format
        How its values are written: "percent" for fractions, or "number".
    direction
        Whether "higher" or "lower" values are better.
    bounds
        The lowest and the highest possible value.
    """

    name: str
    label: str
    description: str
    format: Literal["percent", "number"] = "percent"
    direction: Literal["higher", "lower"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def best(self) -> float:
        """The value of perfect predictions."""
        return self.bounds[1] if self.direction == "higher" else self.bounds[0]

    def text(self, value: float | None, decimals: int = 1) -> str:
        """Write a value as 67.9% or 0.679, and None as –. `decimals` is for percentages."""
        if value is None:
            return "–"
        return f"{value:.{decimals}%}" if self.format == "percent" else f"{value:.3f}"

    def change(self, value: float) -> str:
        """Write a difference of two values: +1.2 points, or −0.012."""
        text = f"{100 * value:+.1f} points" if self.format == "percent" else f"{value:+.3f}"
        return text.replace("-", "\u2212")


class MetricFunction(Protocol):
    """A metric computes one finite number from predictions."""

    info: MetricInfo
    __name__: str

    def __call__(self, logits: Floats, labels: Labels, /) -> float: ...


METRICS: Registry[MetricFunction] = Registry("metric")


def metric(
    *,
    label: str,
    description: str,
    format: Literal["percent", "number"] = "percent",
    direction: Literal["higher", "lower"] = "higher",
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Callable[[Callable[[Floats, Labels], float]], MetricFunction]:
    """Register a metric under the name of the function.

    Parameters
    ----------
    label, description, format, direction, bounds
        See `MetricInfo`.
    """

    def enter(function: Callable[[Floats, Labels], float]) -> MetricFunction:
        entry = cast(MetricFunction, function)
        entry.info = MetricInfo(entry.__name__, label, description, format, direction, bounds)
        return METRICS.register(entry)

    return enter


def describe_metrics() -> list[MetricInfo]:
    """Return the descriptions of all metrics, in order of registration."""
    return [METRICS[name].info for name in METRICS]


def measure(logits: Floats, labels: Labels) -> dict[str, float]:
    """Compute all registered metrics.

    Returns
    -------
    dict
        The value by metric. Empty if there are no samples.

    Raises
    ------
    InputError
        If a logit is NaN.
    """
    if not len(labels):
        return {}
    if np.isnan(logits).any():
        raise InputError(
            "The model's predictions contain NaN, so they can't be measured. Lower the learning "
            "rate and train again."
        )
    return {name: METRICS[name](logits, labels) for name in METRICS}


@metric(label="accuracy", description="Fraction of images whose predicted class is correct.")
def accuracy(logits: Floats, labels: Labels) -> float:
    """Compute the fraction of samples whose largest logit is that of the label."""
    return float((logits.argmax(axis=1) == labels).mean())


@metric(
    label="calibration error",
    description="Mean gap between the confidence of predictions and their accuracy.",
    format="number",
    direction="lower",
)
def calibration_error(logits: Floats, labels: Labels) -> float:
    """Compute the expected calibration error, with 15 equal-width bins as in the paper.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
    equation 3.
    """
    bins = 15
    shares = softmax(logits)
    confidence = shares.max(axis=1)
    correct = shares.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(which, weights=confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def confusion(logits: Floats, labels: Labels) -> NDArray[np.int64]:
    """Count the samples for each pair of true and predicted class.

    Returns
    -------
    array of shape (classes, classes)
        Rows are true classes, columns are predicted classes.
    """
    k = logits.shape[1]
    cells = np.bincount(labels * k + logits.argmax(axis=1), minlength=k * k)
    return cells.reshape(k, k)
