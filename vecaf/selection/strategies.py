"""The registry of selection strategies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.registry import Registry
from vecaf.selection.strategy_pool import Pool

LABEL_FREE = "label-free"
LABELS_KNOWN = "labels-known"

FIRST_ROUND = "typiclust"
"""Selects in round 1 in place of a strategy that needs a trained model.

Papers often start with random images. On CIFAR-10 features (EfficientNet-Lite0, 96 px, 20,000
images, logistic head, 3 seeds), typiclust was 6.8, 7.1, 6.5 and 3.9 points better at 50, 100, 250
and 500 images, with standard errors of 0.4 to 1.2.
"""


@dataclass(frozen=True)
class StrategyResult:
    """The rows that a strategy selects.

    Attributes
    ----------
    positions
        Positions in the pool, int64 of shape (budget,), in rank order.
    scores
        By name, one number for each selected row.
    strategy
        The strategy that this one handed over to; empty if it selected itself.
    """

    positions: Ids
    scores: dict[str, Floats]
    strategy: str = ""


@dataclass(frozen=True)
class StrategyInfo:
    """The description of a strategy, for pages and the command line.

    Attributes
    ----------
    name
        The name in the registry.
    description
        One sentence.
    paper
        Its reference.
    tracks
        Where it may run: "label-free", "labels-known" or both.
    required
        Arguments of `select` that it needs: losses, labels, probabilities.
    optional
        Arguments of `select` that it uses if they are given.
    options
        Its own options and their defaults.
    sharded
        Whether it can select from features in shards.
    """

    name: str
    description: str
    paper: str
    tracks: tuple[str, ...]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    sharded: bool = False

    @property
    def needs_model(self) -> bool:
        """Whether it needs a trained model, so that FIRST_ROUND selects in round 1.

        With labels known, losses of an untrained classifier are available from the start.
        """
        given = {"losses"} if self.tracks == (LABELS_KNOWN,) else set()
        return bool(({"losses", "probabilities"} - given) & set(self.required))


class Strategy(Protocol):
    """A strategy selects `budget` available positions of a pool; it draws only from `rng`."""

    info: StrategyInfo
    __name__: str

    def __call__(
        self, pool: Pool, budget: int, rng: np.random.Generator, /, **options: Any
    ) -> StrategyResult: ...


STRATEGIES: Registry[Strategy] = Registry("strategy")

F = TypeVar("F", bound=Callable[..., StrategyResult])


def strategy(
    *,
    description: str,
    paper: str,
    tracks: tuple[str, ...] = (LABEL_FREE, LABELS_KNOWN),
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    sharded: bool = False,
) -> Callable[[F], F]:
    """Register a strategy under the name of the function.

    Its keyword-only parameters become its options. For a strategy that needs a model, the
    description also names the strategy of round 1.

    Parameters
    ----------
    description, paper, tracks, required, optional, sharded
        See `StrategyInfo`.
    """

    def enter(function: F) -> F:
        options = {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        entry = cast(Strategy, function)
        info = StrategyInfo(
            function.__name__, description, paper, tracks, required, optional, options,
            sharded,
        )  # fmt: skip
        if info.needs_model:
            instead = f"Without a trained model, {FIRST_ROUND} is used."
            info = replace(info, description=f"{description} {instead}")
        entry.info = info
        STRATEGIES.register(entry)
        return function

    return enter


def describe() -> list[StrategyInfo]:
    """Return the descriptions of all strategies, by name."""
    return [STRATEGIES[name].info for name in sorted(STRATEGIES)]


def check_request(info: StrategyInfo, given: set[str], options: dict[str, Any]) -> None:
    """Raise InputError if an argument is missing or an option is unknown."""
    for name in info.required:
        if name not in given:
            raise InputError(f"The strategy '{info.name}' needs {name}=. Pass one row per image.")
    check_options(info, options)


def check_options(info: StrategyInfo, options: Iterable[str]) -> None:
    """Raise InputError, with the nearest names, for an option that the strategy doesn't have."""
    for name in options:
        if name in info.options:
            continue
        near = get_close_matches(name, info.options, n=3, cutoff=0.5)
        known = f"It takes {', '.join(info.options)}" if info.options else "It has no options"
        hint = f"Did you mean {' or '.join(near)}?" if near else f"{known}."
        raise InputError(f"The strategy '{info.name}' has no option '{name}'. {hint}")
