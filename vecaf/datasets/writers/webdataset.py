"""WebDataset shards: a tar file per 64 MB, with the image, cls and txt of each sample.

train-000000.tar
classes.txt         class names by number, one per line
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence

from vecaf.datasets.export_images import SPLITS, Export, ExportedImage
from vecaf.datasets.writers.shards import shards


def webdataset(export: Export) -> Iterator[tuple[str, bytes]]:
    """Yield the shards of each split, and the class names."""
    number = {name: i for i, name in enumerate(export.classes)}
    for split in SPLITS:
        start = 0
        for i, group in enumerate(shards(export.of_split(split))):
            yield f"{split}-{i:06}.tar", _shard(export, group, number, start)
            start += len(group)
    if export.classes:
        yield "classes.txt", "\n".join(export.classes).encode()


def _shard(
    export: Export, images: Sequence[ExportedImage], number: dict[str, int], start: int
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as shard:
        for i, one in enumerate(images, start=start):
            content = export.read(one)
            if content is None:
                continue
            extension = one.file_name.rsplit(".", 1)[-1]
            _add(shard, f"{i:08}.{extension}", content)
            if one.label is not None:
                _add(shard, f"{i:08}.cls", str(number[one.label]).encode())
            if one.text:
                _add(shard, f"{i:08}.txt", one.text.encode())
    return buffer.getvalue()


def _add(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    shard.addfile(info, io.BytesIO(content))
