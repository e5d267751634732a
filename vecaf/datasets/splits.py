"""Draw missing splits at random, stratified by class and independent of the archive's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from vecaf.store import TEST, TRAIN, VAL

VAL_SHARE, TEST_SHARE = 0.10, 0.20
MAX_VAL = 2000  # images; enough to measure differences of 1 point


def complete_splits(
    keys: Sequence[str], labels: Sequence[int], splits: Sequence[str | None], seed: int
) -> list[str]:
    """Return a split for every image; given splits are kept.

    A missing test split gets 20% of the train images, a missing val split 10% (at most 2,000).
    The fractions hold for all classes together (largest remainder method). Every class keeps at
    least one train image. Exact duplicates get the same split; if their labels differ, they stay
    in train. If there are no train images, nothing is drawn.

    Parameters
    ----------
    keys
        The sha256 of each image.
    labels
        The class index of each image; −1 for unlabeled images.
    splits
        The given split of each image, or None, which counts as train.
    seed
        Determines the draw.
    """
    result = [split or TRAIN for split in splits]
    present = set(result)
    copies: dict[str, list[int]] = {}
    for i, split in enumerate(result):
        if split == TRAIN:
            copies.setdefault(keys[i], []).append(i)

    classes: dict[int, list[str]] = {}
    for key in sorted(copies, key=lambda key: (_rank(seed, key), key)):
        meant = {labels[i] for i in copies[key]}
        if len(meant) == 1:
            classes.setdefault(meant.pop(), []).append(key)

    sizes = {label: len(members) for label, members in classes.items()}
    taken = dict.fromkeys(classes, 0)
    for split, share in ((TEST, TEST_SHARE), (VAL, VAL_SHARE)):
        if split in present:
            continue
        total = round(share * sum(sizes.values()))
        if split == VAL:
            total = min(total, MAX_VAL)
        room = {label: size - taken[label] - 1 for label, size in sizes.items()}
        for label, count in _quotas(sizes, room, total, seed).items():
            for key in classes[label][taken[label] : taken[label] + count]:
                for i in copies[key]:
                    result[i] = split
            taken[label] += count
    return result


def _quotas(
    sizes: Mapping[int, int], room: Mapping[int, int], total: int, seed: int
) -> dict[int, int]:
    """Distribute `total` in proportion to `sizes` (largest remainder), limited by `room`."""
    everything = sum(sizes.values()) or 1
    exact = {label: total * size / everything for label, size in sizes.items()}
    quotas = {label: min(int(share), room[label]) for label, share in exact.items()}
    left = total - sum(quotas.values())

    def by_remainder(label: int) -> tuple[float, bytes]:
        return (int(exact[label]) - exact[label], _rank(seed, f"class {label}"))

    for label in sorted(sizes, key=by_remainder):
        if left > 0 and quotas[label] < room[label]:
            quotas[label] += 1
            left -= 1
    return quotas


def _rank(seed: int, key: str) -> bytes:
    return blake2b(f"{seed}/{key}".encode(), digest_size=8).digest()
