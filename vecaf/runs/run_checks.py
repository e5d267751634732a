"""Check that a dataset can serve a run or a selection before any work starts."""

from __future__ import annotations

from collections.abc import Sequence

from vecaf.budget import parse_budget
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.errors import InputError, NotLabeledError
from vecaf.selection import STRATEGIES
from vecaf.selection.option_checks import parse_options
from vecaf.selection.strategies import check_options


def check_pool(
    config: RunConfig, classes: Sequence[str], counts: Sequence[int], subset_size: int | None = None
) -> int:
    """Check that a pool can serve a run, and return the budget per round as a number of images.

    Parameters
    ----------
    classes
        Class names.
    counts
        Labeled images in the pool, per class.
    subset_size
        If the run uses a saved selection: how many images it gives to the first round.

    Raises
    ------
    NotLabeledError
        Fewer than two classes have labeled images.
    InputError
        The budget is too large for all rounds, or the strategy does not fit the track or lacks
        an option.
    """
    labeled_classes = [name for name, count in zip(classes, counts, strict=True) if count]
    if not labeled_classes:
        raise NotLabeledError(
            "This dataset has no labeled images to train on. Select images and label them, or "
            "import the dataset with a folder for each class or a metadata.csv with labels."
        )
    if len(labeled_classes) < 2:
        raise NotLabeledError(
            f"All labeled images are of one class ('{labeled_classes[0]}'). Finetuning needs at "
            "least two classes. Label images of another class."
        )
    size = sum(counts)
    if subset_size is not None and config.rounds == 1:
        return subset_size
    budget = parse_budget(config.budget).of(size, "labeled images")
    first_round = budget if subset_size is None else subset_size
    needed = first_round + budget * (config.rounds - 1)
    if needed > size:
        raise InputError(
            f"{config.rounds} rounds need {needed:,} labeled images, but only {size:,} images of "
            "the pool are labeled. Choose a smaller budget or fewer rounds."
        )
    _check_strategy(config)
    return budget


def check_selection(config: RunConfig, pool_size: int, labeled: int, excluded: int) -> int:
    """Check that a pool can serve a selection without training, and return the budget as a count.

    Parameters
    ----------
    pool_size
        Images in the pool, labeled or not.
    labeled
        How many of them have a label.
    excluded
        How many of them were labeled or selected before, so that they can't be selected.

    Raises
    ------
    InputError
        The budget is too large, the strategy does not fit the track, or labels are missing in the
        labels-known track.
    """
    if not pool_size:
        raise InputError(
            "There are no images to select from: the train split is empty, or all of its images "
            "are excluded. Add train images, or include some of them in the pool again."
        )
    budget = parse_budget(config.budget).of(pool_size)
    available = pool_size - excluded
    if budget > available:
        raise InputError(
            f"The budget is {budget} images, but only {available} of {pool_size} are available: "
            f"{excluded} are already labeled or selected. Choose a smaller budget."
        )
    if config.track == LABELS_KNOWN and labeled < pool_size:
        raise InputError(
            f"Only {labeled} of {pool_size} images in the pool have a label. The labels-known "
            "track needs all labels. Choose the label-free track."
        )
    _check_strategy(config)
    return budget


def _check_strategy(config: RunConfig) -> None:
    info = STRATEGIES[config.strategy].info
    check_options(info, parse_options(config.strategy_options))
    if config.track not in info.tracks:
        raise InputError(
            f"The strategy '{config.strategy}' needs the {info.tracks[0]} track: it reads labels "
            f"that are hidden in the {config.track} track. Choose another track or strategy."
        )
