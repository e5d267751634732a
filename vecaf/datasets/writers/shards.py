"""Divide the images of a split into files of limited size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vecaf.datasets.export_images import ExportedImage

SHARD_BYTES = 64 << 20


def shards(images: Sequence[ExportedImage], most: int = SHARD_BYTES) -> list[list[ExportedImage]]:
    """Return groups of consecutive images, each of at most `most` bytes or of one image."""
    return list(_groups(images, most))


def _groups(images: Sequence[ExportedImage], most: int) -> Iterator[list[ExportedImage]]:
    group: list[ExportedImage] = []
    size = 0
    for one in images:
        own = one.source.stat().st_size if one.source.exists() else 0
        if group and size + own > most:
            yield group
            group, size = [], 0
        group.append(one)
        size += own
    if group:
        yield group
