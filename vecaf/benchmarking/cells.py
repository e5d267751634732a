"""The grid of a benchmark: one cell for each dataset, strategy, budget and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vecaf.budget import parse_budget
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.runs.plan import RunPlan
from vecaf.selection import FIRST_ROUND, STRATEGIES
from vecaf.selection.first_round import first_strategy

FULL = "full"
"""The reference strategy: it trains on the whole pool in one round, without captions."""
FULL_SETTINGS: dict[str, Any] = {
    "strategy": "random", "strategy_options": "", "budget": "100%", "rounds": 1,
    "caption_weight": 0.0, "target_words": "", "adapt_to": "", "training_images": "keep",
    "schedule": "round", "head_init": "zeros", "patience": 0,
}  # fmt: skip
RANDOM = "random"


@dataclass(frozen=True)
class Cell:
    """One run of a benchmark.

    Attributes
    ----------
    strategy, budget
        As requested in the grid.
    config
        The settings of the run.
    """

    strategy: str
    budget: str
    config: RunConfig

    @property
    def dataset(self) -> str:
        return self.config.dataset

    @property
    def seed(self) -> int:
        return self.config.seed

    def __str__(self) -> str:
        return f"{self.dataset}, {self.strategy}, budget {self.budget}, seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """The dimensions of a benchmark.

    Attributes
    ----------
    datasets, strategies, budgets
    seeds
        Number of seeds. Each strategy uses the same ones, so that differences can be paired.
    base
        The settings that all cells share.
    pool
        Number of pool images to use; 0 means all.
    against
        The strategies that the others are compared with.
    full_epochs
        Epochs of FULL; 0 means as many as the other strategies.
    first_seed
        The smallest seed; the others follow it.
    """

    datasets: tuple[str, ...]
    strategies: tuple[str, ...]
    budgets: tuple[str, ...]
    seeds: int
    base: RunConfig
    pool: int = 0
    against: tuple[str, ...] = (RANDOM,)
    full_epochs: int = 0
    first_seed: int = 0

    @classmethod
    def of(
        cls,
        datasets: Sequence[str],
        strategies: str,
        budgets: str,
        seeds: int,
        base: RunConfig,
        pool: int = 0,
        against: str = RANDOM,
        full_epochs: int = 0,
        first_seed: int = 0,
    ) -> Grid:
        """Parse comma-separated lists.

        The strategies in `against` are measured, too. In the labels-known track, so is FULL, which
        defines the target accuracy.

        Raises
        ------
        InputError
            If a list is empty, a strategy is unknown, or a budget is invalid.
        """
        named = _words(strategies, "strategies")
        versus = _words(against, "against")
        wanted = list(dict.fromkeys([*versus, *named]))
        if base.track == LABELS_KNOWN and FULL not in wanted:
            wanted.append(FULL)
        for name in wanted:
            if name != FULL:
                STRATEGIES[name]
        sizes = _words(budgets, "budgets")
        for size in sizes:
            parse_budget(size)
        if seeds < 1:
            raise InputError(f"seeds is {seeds}. Use at least 1; 5 are recommended.")
        if not datasets:
            raise InputError("Name at least one dataset.")
        return cls(
            tuple(dict.fromkeys(datasets)), tuple(wanted), sizes, seeds, base.checked(), pool,
            versus, full_epochs, first_seed,
        )  # fmt: skip

    def cells(self, dataset: str) -> list[Cell]:
        """Return the cells of one dataset.

        They are ordered by seed, so that an interrupted benchmark covers all strategies.
        """
        made = []
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            base = replace(self.base, dataset=dataset, seed=seed)
            for strategy in self.strategies:
                if strategy == FULL:
                    whole = replace(base, **FULL_SETTINGS, epochs=self.full_epochs or base.epochs)
                    made.append(Cell(FULL, "100%", whole))
                    continue
                for budget in self.budgets:
                    config = replace(base, strategy=strategy, budget=budget)
                    made.append(Cell(strategy, budget, config))
        return made


def check(cells: Sequence[Cell], samples: Samples) -> None:
    """Check all cells of one dataset before any of them runs.

    Raises
    ------
    InputError
        If a cell can't run, its strategy would read labels that the track does not allow, or the
        dataset has no labeled test images.
    """
    for cell in cells:
        try:
            plan = RunPlan.of(cell.config, samples)
            _check_model(cell.config)
        except InputError as error:
            raise InputError(f"{cell}: {error}") from error
        if not len(plan.test):
            raise InputError(
                f"'{cell.dataset}' has no labeled test images, so accuracy can't be measured. "
                "Import it with a test split."
            )


def _check_model(config: RunConfig) -> None:
    """Raise InputError if the first round's strategy would select all images."""
    if config.rounds == 1 and first_strategy(config) != config.strategy:
        raise InputError(
            f"This strategy needs a trained model. In the only round, {FIRST_ROUND} would "
            "select in its place. Use --rounds 2 or more."
        )


def _words(text: str, what: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not words:
        raise InputError(f"{what} is empty. Pass names or numbers, separated by commas.")
    return words
