"""What a person should know about an import that worked but may not serve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vecaf.store import TEST, TRAIN, VAL


def import_warnings(
    classes: Sequence[str], labels: Sequence[int], splits: Sequence[str], keys: Sequence[str]
) -> Iterator[str]:
    """Sentences on a dataset's labels and splits; `keys` identify content, one a sample."""
    if not classes:
        yield "There are no labels: images can be looked at and selected, but not trained on yet."
    elif len(classes) == 1:
        yield f"There is one class only ('{classes[0]}'): training needs at least two."
    yield from _alike(classes)
    present = set(splits)
    if TRAIN not in present:
        yield "There is no train image: the dataset serves for evaluation only."
    else:
        yield from _too_small(present)
    trained = {key for key, split in zip(keys, splits, strict=True) if split == TRAIN}
    for split in (VAL, TEST):
        leaked = sum(
            key in trained for key, other in zip(keys, splits, strict=True) if other == split
        )
        if leaked:
            yield (
                f"{leaked:,} of the {split} images are in train too, byte for byte: accuracy on "
                f"{split} will look better than it is."
            )
    sizes = [0] * len(classes)
    for label, split in zip(labels, splits, strict=True):
        if label >= 0 and split == TRAIN:
            sizes[label] += 1
    bare = [name for name, size in zip(classes, sizes, strict=True) if size == 0]
    if bare and TRAIN in present:
        yield f"{_some(bare)} without a train image: a model can't learn {_them(bare)}."


def _too_small(present: set[str]) -> Iterator[str]:
    missing = [split for split in (VAL, TEST) if split not in present]
    if missing:
        yield (
            f"No {' and no '.join(missing)} images could be set aside: every class keeps at "
            "least one image in train, and there are too few. Add images to measure accuracy."
        )


def _alike(classes: Sequence[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield f"The classes '{other}' and '{name}' differ in upper and lower case only."


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    if len(names) > 3:
        return f"{len(names):,} classes ({shown} …) are"
    return f"The {'class' if len(names) == 1 else 'classes'} {shown} {_is(names)}"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
