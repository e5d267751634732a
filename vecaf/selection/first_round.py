"""Which strategy selects in the first round of a run."""

from __future__ import annotations

from vecaf.config import LABEL_FREE, RunConfig
from vecaf.selection.strategies import FIRST_ROUND, STRATEGIES


def first_strategy(config: RunConfig) -> str:
    """Return the name of the strategy that selects in round 1.

    That is `config.strategy`, or FIRST_ROUND if `config.strategy` needs a model and there is none
    yet. With labels known, the initial head is a model, unless it starts from zeros. The default,
    `head_init="auto"`, does not use zeros for a strategy that needs a model.
    """
    no_model = config.track == LABEL_FREE or config.head_init == "zeros"
    replaced = no_model and STRATEGIES[config.strategy].info.needs_model
    return FIRST_ROUND if replaced else config.strategy
