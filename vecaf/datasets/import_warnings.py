"""Warnings about the labels and splits of a successful import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vecaf.store import TEST, TRAIN, VAL
from vecaf.wording import SPLITS, plural


def import_warnings(
    classes: Sequence[str], labels: Sequence[int], splits: Sequence[str], keys: Sequence[str]
) -> Iterator[str]:
    """Yield warnings about a dataset's labels and splits.

    Parameters
    ----------
    labels
        The class index of each sample, −1 if it has no label.
    keys
        The sha256 of each sample's image.
    """
    if not classes:
        yield "No image has a label. You can view and select images, but training needs labels."
    elif len(classes) == 1:
        yield f"There is only one class ('{classes[0]}'). Training needs at least two."
    yield from _alike(classes)
    present = set(splits)
    if TRAIN not in present:
        yield "There are no train images, so you can use this dataset only for evaluation."
    else:
        yield from _too_small(present)
    trained = {key for key, split in zip(keys, splits, strict=True) if split == TRAIN}
    for split in (VAL, TEST):
        leaked = sum(
            key in trained for key, other in zip(keys, splits, strict=True) if other == split
        )
        if leaked:
            yield (
                f"The train split also contains {plural(leaked, SPLITS[split] + ' image')} (exact "
                f"duplicates), which inflates the {SPLITS[split]} accuracy."
            )
    sizes = [0] * len(classes)
    for label, split in zip(labels, splits, strict=True):
        if label >= 0 and split == TRAIN:
            sizes[label] += 1
    bare = [name for name, size in zip(classes, sizes, strict=True) if size == 0]
    if bare and TRAIN in present:
        yield f"{_list(bare)} no train images, so a model can't learn {_them(bare)}."


def _too_small(present: set[str]) -> Iterator[str]:
    missing = [SPLITS[split] for split in (VAL, TEST) if split not in present]
    if missing:
        yield (
            f"There are too few images for a {' or '.join(missing)} split, since every class "
            "keeps at least one image in train. Add images to measure accuracy."
        )


def _alike(classes: Sequence[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield f"The classes '{other}' and '{name}' differ only in upper and lower case."


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    if len(names) > 3:
        return f"{len(names):,} classes ({shown} …) have"
    return f"The class {shown} has" if len(names) == 1 else f"The classes {shown} have"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
