"""What a benchmark measures: one cell for every dataset, strategy, budget and seed."""

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
"""The reference that trains on the whole pool, in one round and with its labels alone: what active
finetuning is to reach."""
PLAIN: dict[str, Any] = {
    "strategy": "random", "strategy_options": "", "budget": "100%", "rounds": 1, "text_pull": 0.0,
    "target_words": "", "picks": "keep", "schedule": "round", "head_init": "zeros", "patience": 0,
}  # fmt: skip
RANDOM = "random"


@dataclass(frozen=True)
class Cell:
    """One run of a benchmark. `strategy` and `budget` are as asked for; `config` is what runs."""

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
    """A benchmark's dimensions; `base` holds everything that its cells have in common.

    Seeds are 0, 1, …: the same for every strategy, so that differences can be paired.
    """

    datasets: tuple[str, ...]
    strategies: tuple[str, ...]
    budgets: tuple[str, ...]
    seeds: int
    base: RunConfig
    pool: int = 0  # images of the pool that are used, 0 for all
    against: tuple[str, ...] = (RANDOM,)
    full_epochs: int = 0  # passes of FULL over the pool, 0 for as many as the others do

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
    ) -> Grid:
        """Read lists as typed, parted by commas. What strategies are compared against is measured,
        too; so is `full` in the labels-known track, where it sets the target.

        Raises InputError for an empty list, an unknown strategy, or a budget that is none.
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
            raise InputError(f"seeds is {seeds}; measure with at least 1, better 5.")
        if not datasets:
            raise InputError("Name at least one dataset.")
        return cls(
            tuple(dict.fromkeys(datasets)), tuple(wanted), sizes, seeds, base.checked(), pool,
            versus, full_epochs,
        )  # fmt: skip

    def cells(self, dataset: str) -> list[Cell]:
        """The cells of one dataset, seed by seed: whoever stops early has all strategies."""
        made = []
        for seed in range(self.seeds):
            base = replace(self.base, dataset=dataset, seed=seed)
            for strategy in self.strategies:
                if strategy == FULL:
                    whole = replace(base, **PLAIN, epochs=self.full_epochs or base.epochs)
                    made.append(Cell(FULL, "100%", whole))
                    continue
                for budget in self.budgets:
                    config = replace(base, strategy=strategy, budget=budget)
                    made.append(Cell(strategy, budget, config))
        return made


def check(cells: Sequence[Cell], samples: Samples) -> None:
    """Raise InputError before any work where a cell can't be run or would leak, or nothing tests.

    `samples` are those of the cells' dataset.
    """
    for cell in cells:
        try:
            plan = RunPlan.of(cell.config, samples)
            _check_model(cell.config)
        except InputError as error:
            raise InputError(f"{cell}: {error}") from error
        if not len(plan.test):
            raise InputError(
                f"'{cell.dataset}' has no labelled test images, so that no strategy can be "
                "measured on it. Import it with a test split."
            )


def _check_model(config: RunConfig) -> None:
    """Raise InputError where another strategy would pick all there is to pick."""
    if config.rounds == 1 and first_strategy(config) != config.strategy:
        raise InputError(
            f"It needs a trained model and selects from round 2 on; in one round it would be "
            f"{FIRST_ROUND} under another name. Use --rounds 2 or more."
        )


def _words(text: str, what: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not words:
        raise InputError(f"{what} is empty; give names or numbers, parted by commas.")
    return words
