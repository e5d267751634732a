"""Selection: arrays in, row ids and scores out. One strategy a file; see `describe()`."""

from vecaf.selection.activeft import activeft
from vecaf.selection.interface import Selection, select
from vecaf.selection.kcenter import kcenter
from vecaf.selection.kmeans import kmeans
from vecaf.selection.random import random
from vecaf.selection.registry import STRATEGIES, StrategyInfo, describe
from vecaf.selection.vecaf import vecaf

__all__ = [
    "STRATEGIES",
    "Selection",
    "StrategyInfo",
    "activeft",
    "describe",
    "kcenter",
    "kmeans",
    "random",
    "select",
    "vecaf",
]
