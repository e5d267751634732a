"""Budgets as people enter them: a number of images, or a percentage of the pool."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vecaf.errors import InputError


@dataclass(frozen=True)
class Budget:
    """A budget as entered: a number of images, or a percentage of the pool."""

    amount: float
    share: bool

    def of(self, pool_size: int, what: str = "images") -> int:
        """Return the budget as a number of images; a percentage rounds to at least 1.

        Raises InputError if the pool has fewer images. `what` names them in its message.
        """
        count = max(1, round(pool_size * self.amount / 100)) if self.share else int(self.amount)
        if count > pool_size:
            raise InputError(
                f"The budget is {count}, but only {pool_size} {what} can be selected. Choose a "
                "smaller budget."
            )
        return count


def parse_budget(text: str) -> Budget:
    """Parse '250' or '2.5%'. Raises InputError for other text and for zero or less."""
    stripped = str(text).strip()
    share = stripped.endswith("%")
    try:
        amount = float(stripped.removesuffix("%"))
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or (not share and amount != int(amount)):
        raise InputError(
            f"The budget '{text}' is neither a count such as 250 nor a percentage such as 2%."
        )
    if amount <= 0:
        raise InputError(f"The budget is {text}. Select at least 1 image.")
    if share and amount > 100:
        raise InputError(f"The budget is {text}. Choose at most 100%.")
    return Budget(amount, share)
