"""Throughput of embedding with 1, 2 and 4 encoder processes on a Ray cluster, and in one process.

    python -m benchmarks.scaling.embedding --images 4000

The images are synthetic JPEG files of 96 × 96 pixels. Each measurement has its own cache. The time
of a pool includes its start; the rate after the start is measured from the first finished block to
the last.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from vecaf.encoders import embed_images, load_pvm
from vecaf.engine.cluster_embedding import embed_on_cluster
from vecaf.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--side", type=int, default=96, help="pixels of the images and the encoder")
    parser.add_argument("--actors", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--cpus", type=int, default=8, help="logical CPUs of the cluster")
    given = parser.parse_args()
    encoder = load_pvm("efficientnet_lite0").at_size(given.side)
    print("| processes | seconds | images per second | after the start |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = write_images(folder, given.images, given.side)
        keys, path_of = list(images), images.__getitem__
        started = time.perf_counter()
        embed_images(encoder, keys, path_of, settings=_home(folder / "0"))
        seconds = time.perf_counter() - started
        print(f"| no cluster | {seconds:.1f} | {len(keys) / seconds:.0f} | |", flush=True)

        import ray

        ray.init("local", num_cpus=given.cpus, include_dashboard=False, log_to_driver=False)
        for actors in given.actors:
            times: list[tuple[float, int]] = []
            started = time.perf_counter()
            embed_on_cluster(
                encoder, keys, path_of, settings=_home(folder / str(actors)), actors=actors,
                progress=lambda done, _, times=times: times.append((time.perf_counter(), done)),  # type: ignore[misc]
                should_stop=lambda: False,
            )  # fmt: skip
            seconds = time.perf_counter() - started
            (first, some), (last, every) = times[1], times[-1]
            rate = (every - some) / max(last - first, 1e-9)
            print(
                f"| {actors} | {seconds:.1f} | {len(keys) / seconds:.0f} | {rate:.0f} |", flush=True
            )
        ray.shutdown()


def write_images(folder: Path, count: int, side: int) -> dict[str, Path]:
    """Write random JPEG files, and return their paths by SHA-256."""
    rng = np.random.default_rng(0)
    found = {}
    for index in range(count):
        path = folder / f"{index}.jpg"
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((side, side)).save(path)
        found[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    return found


def _home(folder: Path) -> Settings:
    return Settings.from_environment({"VECAF_HOME": str(folder), "VECAF_DEVICE": "cpu"})


if __name__ == "__main__":
    main()
