"""The registry of selection strategies and what each of them tells a person."""

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

Picks = tuple[Ids, dict[str, Floats]]
"""Positions in the pool, in rank order, and score parts by name, one number for each pick."""

LABEL_FREE = "label-free"
LABELS_KNOWN = "labels-known"

FIRST_ROUND = "typiclust"
"""What selects instead of a strategy that needs a model's answers, before there is a model.

The literature starts at random. On CIFAR-10 features (EfficientNet-Lite0, 96 px, 20,000 images,
logistic head, 3 seeds) typiclust was 6.8, 7.1, 6.5 and 3.9 points above random at 50, 100, 250 and
500 picks, with standard errors of 0.4 to 1.2.
"""


@dataclass(frozen=True)
class StrategyInfo:
    """What the page and the command line say about a strategy.

    tracks    where it may run: "label-free", "labels-known" or both
    required  arguments of `select` that it cannot do without (losses, labels, probabilities)
    optional  arguments that it uses when they are given
    options   its own keyword options and their defaults
    splits    whether several processes make a selection sooner than one (`selection.split`)
    """

    name: str
    description: str
    paper: str
    tracks: tuple[str, ...]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    splits: bool = False

    @property
    def needs_model(self) -> bool:
        """Whether it cannot select before a model is trained: round 1 is FIRST_ROUND's then.

        Where labels are known, losses are there from the start: an untrained classifier's.
        """
        given = {"losses"} if self.tracks == (LABELS_KNOWN,) else set()
        return bool(({"losses", "probabilities"} - given) & set(self.required))


class Strategy(Protocol):
    """A strategy picks `budget` available positions of a pool; it draws only from `rng`."""

    info: StrategyInfo
    __name__: str

    def __call__(
        self, pool: Pool, budget: int, rng: np.random.Generator, /, **options: Any
    ) -> Picks: ...


STRATEGIES: Registry[Strategy] = Registry("strategy")

F = TypeVar("F", bound=Callable[..., Picks])


def strategy(
    *,
    description: str,
    paper: str,
    tracks: tuple[str, ...] = (LABEL_FREE, LABELS_KNOWN),
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    splits: bool = False,
) -> Callable[[F], F]:
    """Decorator: enter a function in STRATEGIES under its name, with its StrategyInfo.

    Keyword-only parameters of the function are the strategy's options. The description of one that
    needs a model ends by saying what selects before there is one.
    """

    def enter(function: F) -> F:
        options = {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        entry = cast(Strategy, function)
        info = StrategyInfo(
            function.__name__, description, paper, tracks, required, optional, options, splits
        )
        if info.needs_model:
            info = replace(info, description=f"{description} Round 1: {FIRST_ROUND}.")
        entry.info = info
        STRATEGIES.register(entry)
        return function

    return enter


def describe() -> list[StrategyInfo]:
    """Every registered strategy, by name."""
    return [STRATEGIES[name].info for name in sorted(STRATEGIES)]


def check_request(info: StrategyInfo, given: set[str], options: dict[str, Any]) -> None:
    """Raise InputError where a strategy lacks an argument or does not know an option."""
    for name in info.required:
        if name not in given:
            raise InputError(f"The strategy '{info.name}' needs {name}=; pass one row an image.")
    check_options(info, options)


def check_options(info: StrategyInfo, options: Iterable[str]) -> None:
    """Raise InputError, with the nearest name, for an option that the strategy does not know."""
    for name in options:
        if name in info.options:
            continue
        near = get_close_matches(name, info.options, n=3, cutoff=0.5)
        known = f"it takes {', '.join(info.options)}" if info.options else "it takes no options"
        hint = f"did you mean {' or '.join(near)}?" if near else f"{known}."
        raise InputError(f"The strategy '{info.name}' has no option '{name}'; {hint}")
