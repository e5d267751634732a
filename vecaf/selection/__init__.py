"""Selection strategies: arrays in, row ids and scores out; see `describe()`."""

from vecaf.selection.activeft import activeft
from vecaf.selection.badge import badge
from vecaf.selection.bilaf import bilaf
from vecaf.selection.ccs import ccs
from vecaf.selection.entropy import entropy
from vecaf.selection.importance import importance
from vecaf.selection.interface import Selection, select
from vecaf.selection.kcenter import kcenter
from vecaf.selection.kmeans import kmeans
from vecaf.selection.local_shards import LocalSharding
from vecaf.selection.margin import margin
from vecaf.selection.maxherding import maxherding
from vecaf.selection.random import random
from vecaf.selection.strategies import FIRST_ROUND, STRATEGIES, StrategyInfo, describe
from vecaf.selection.two_stages import select_from_candidates
from vecaf.selection.typiclust import typiclust
from vecaf.selection.uherding import uherding
from vecaf.selection.vecaf import vecaf

__all__ = [
    "FIRST_ROUND",
    "STRATEGIES",
    "LocalSharding",
    "Selection",
    "StrategyInfo",
    "activeft",
    "badge",
    "bilaf",
    "ccs",
    "describe",
    "entropy",
    "importance",
    "kcenter",
    "kmeans",
    "margin",
    "maxherding",
    "random",
    "select",
    "select_from_candidates",
    "typiclust",
    "uherding",
    "vecaf",
]
