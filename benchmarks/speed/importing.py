"""Import of a ZIP file, compared with reading, decoding and hashing its images.

The import goes into a temporary data folder, which is removed afterward. The lower bound does only
the unavoidable work: no checks, thumbnails, files, database rows or syncs.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.speed.figures import Figure, alternating, parser_of
from vecaf.datasets.importing import import_dataset
from vecaf.settings import Settings
from vecaf.store import Store


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("importing", __doc__, repeats=2)
    parser.add_argument("--zip", type=Path, default=Path("../shared/data/cifar10.zip"))
    parser.add_argument(
        "--images", type=int, default=60_000, help="number of images from the archive"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as folder:
        archive = first_images(options.zip, Path(folder) / options.zip.name, options.images)
        homes = [f"{folder}/home-{turn}" for turn in range(options.repeats)]
        fresh = [Settings.from_environment({"VECAF_HOME": home}) for home in homes]
        stores = [Store.open(settings) for settings in fresh]

        def ours() -> None:
            import_dataset(stores.pop(), archive, "measured")

        floor, seconds = alternating(
            lambda: bare(archive), ours, repeats=options.repeats, timer=options.timer
        )
    name = f"import {options.images:,} images of {options.zip.name}"
    yield Figure(name, seconds, ("read, decode, hash", floor), within=2)


def bare(archive: Path) -> str:
    """Read, decode and hash all images; returns the hashes."""
    hashes = []
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.filename.endswith((".jpg", ".png")):
                content = opened.read(info)
                Image.open(io.BytesIO(content)).load()
                hashes.append(hashlib.sha256(content).hexdigest())
    return "".join(hashes)


def first_images(source: Path, target: Path, images: int) -> Path:
    """Copy an archive with this many images, distributed over its classes."""
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as part:
        infos = [one for one in whole.infolist() if not one.is_dir()]
        images = min(images, len(infos))
        for place in range(images):
            info = infos[place * len(infos) // images]
            part.writestr(info, whole.read(info))
    return target
