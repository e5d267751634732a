"""Splits that an upload lacks: drawn by seed, class by class, whatever the archive's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from vecaf.store import TEST, TRAIN, VAL

VAL_SHARE, TEST_SHARE = 0.10, 0.20
VAL_MOST = 2000  # enough to tell models 1 point apart; more only takes from the pool


def complete_splits(
    keys: Sequence[str], labels: Sequence[int], splits: Sequence[str | None], seed: int
) -> list[str]:
    """A split for every image; given ones are kept.

    `keys` identify content, `labels` are class indices with −1 for none, `splits` are given ones
    or None (which counts as train). A missing test split takes 20% of train, a missing val split
    10% (at most 2,000): with neither it is 70/10/20. Shares are met over all classes together
    (largest remainder), and every class keeps at least one image in train. Images of equal content
    stay together, so that none is trained on and tested on; with unlike labels they stay in train.
    Without any train image nothing is drawn.
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
            total = min(total, VAL_MOST)
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
    """`total` shared out in proportion to `sizes`, by largest remainder, within `room`."""
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
