"""Embed the images of a large dataset with encoders on all machines of a Ray cluster.

A manifest of content hashes flows through Ray Data to a pool of encoder processes, one per GPU, or
one per CPU. They write features to the embedding cache in the shared data folder and return only
counts. If a node dies, Ray repeats the blocks that it had not finished. Cached images are omitted,
so that a repeated job continues where the last one ended.
"""

from __future__ import annotations

import math
import pickle
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from vecaf.datasets.pool import Samples
from vecaf.encoders.cache import Digests
from vecaf.encoders.embed import (
    ROWS_PER_SHARD,
    ImageEncoder,
    count_missing,
    encode_missing,
    missing_images,
    prepare_set,
)
from vecaf.engine.ray_connection import connect
from vecaf.errors import CanceledError, UnavailableError, VecafError
from vecaf.settings import Settings

MIN_IMAGES = 16_384
"""A single process embeds fewer images sooner than a pool of encoders starts."""
BLOCKS_PER_ACTOR = 4  # at least, so that all actors end at about the same time
POLL_SECONDS = 0.5

Progress = Callable[[int, int], None]


def embed_on_cluster(
    encoder: ImageEncoder,
    keys: Sequence[str],
    path_of: Callable[[str], Path],
    *,
    settings: Settings,
    actors: int,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> int:
    """Compute the features of images that the cache lacks, with up to `actors` processes.

    Ray must be connected. All nodes need the same data folder.

    Parameters
    ----------
    encoder, keys, path_of, settings
        As in `embed_images`.
    actors
        Largest number of encoder processes. Each reserves a GPU, or a CPU if the device is the CPU.
    progress
        Called with the number of finished images and of all images to compute.
    should_stop
        Returns whether to cancel; called twice a second.

    Returns
    -------
    The number of computed images.

    Raises
    ------
    CanceledError
        If `should_stop` returns True. Finished images stay in the cache.
    VecafError
        As `embed_images`.
    """
    missing, paths = missing_images(encoder, keys, path_of, settings)
    if not len(missing):
        return 0
    prepare_set(encoder, settings)
    size = min(ROWS_PER_SHARD, math.ceil(len(missing) / (BLOCKS_PER_ACTOR * actors)))
    dataset = _manifest(missing, paths, size).map_batches(
        _Encoder,
        fn_constructor_args=(encoder, settings, len(keys)),
        batch_size=None,  # a block is a batch, and a shard of the cache
        batch_format="pyarrow",
        **_pool(actors),
    )
    done = 0
    progress(done, len(missing))
    for finished in _polled(dataset, should_stop):
        done += finished
        progress(done, len(missing))
    return done


def fill_cache(
    encoder: ImageEncoder,
    samples: Samples,
    settings: Settings,
    *,
    log: Callable[[str], None],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> None:
    """Embed a large dataset on the cluster that runs this job, if it has room for two encoders.

    Otherwise, and if the cluster fails, the caller computes the missing features.

    Raises
    ------
    CanceledError, InputError
        As `embed_on_cluster`.
    """
    if len(samples) < MIN_IMAGES:
        return
    keys = [samples.keys[row] for row in samples.usable]
    missing = count_missing(encoder, keys, settings)
    if missing < MIN_IMAGES:
        return
    import ray

    try:
        connect()
        actors = free_encoders()
        if actors < 2:
            return
        log(f"Computing embeddings of {missing:,} images with up to {actors} processes.")
        embed_on_cluster(
            encoder, keys, samples.path_of, settings=settings, actors=actors, progress=progress,
            should_stop=should_stop,
        )  # fmt: skip
    except (ConnectionError, UnavailableError, ray.exceptions.RayError) as error:
        log(f"The cluster stopped computing embeddings: {error} This process continues.")


def free_encoders() -> int:
    """Return how many encoder processes the connected cluster has room for."""
    import ray

    free = ray.available_resources()
    return int(free.get("GPU" if "GPU" in ray.cluster_resources() else "CPU", 0))


class _Encoder:
    """One process of the pool. It has loaded the model once and encodes one block at a time."""

    def __init__(self, encoder: ImageEncoder, settings: Settings, images: int) -> None:
        self._encoder = encoder
        self._settings = settings
        self._images = images

    def __call__(self, block: Any) -> Any:
        import pyarrow as pa

        keys = np.frombuffer(b"".join(block["key"].to_pylist()), "S32")
        paths = list(map(Path, block["path"].to_pylist()))
        error = b""
        try:
            encode_missing(
                self._encoder, keys, paths, images=self._images, settings=self._settings, threads=1
            )
        except VecafError as raised:  # Ray would retry it, and lose its class
            error = pickle.dumps(raised)
        return pa.table({"done": [len(keys)], "error": pa.array([error], pa.binary())})


def _manifest(missing: Digests, paths: Sequence[Path], size: int) -> Any:
    """Return a Ray dataset of keys and paths, in blocks of `size` rows."""
    import pyarrow as pa
    import ray

    tables = [
        pa.table(
            {
                # Converting an element of S32 to bytes would drop its trailing zeros.
                "key": pa.FixedSizeBinaryArray.from_buffers(
                    pa.binary(32), len(part), [None, pa.py_buffer(part.tobytes())]
                ),
                "path": list(map(str, paths[start : start + size])),
            }
        )
        for start in range(0, len(missing), size)
        for part in (missing[start : start + size],)
    ]
    return ray.data.from_arrow(tables)


def _pool(actors: int) -> dict[str, Any]:
    """Return the arguments of `map_batches` that describe the pool."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    resources = {"num_gpus": 1} if "GPU" in ray.cluster_resources() else {"num_cpus": 1}
    strategy = ray.data.ActorPoolStrategy(
        min_size=1, max_size=actors, max_tasks_in_flight_per_actor=2
    )
    return {"compute": strategy, **resources}


def _polled(dataset: Any, should_stop: Callable[[], bool]) -> Iterator[int]:
    """Yield how many images each finished block has, and check for a cancellation meanwhile."""
    results: queue.Queue[Any] = queue.Queue()
    stopped = threading.Event()

    def consume() -> None:
        try:
            for table in dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                for row in table.to_pylist():
                    results.put(pickle.loads(row["error"]) if row["error"] else row["done"])
                if stopped.is_set():
                    return
            results.put(None)
        except Exception as error:  # raised again in the caller's thread
            results.put(error)

    threading.Thread(target=consume, name="cluster-embedding", daemon=True).start()
    try:
        while True:
            if should_stop():
                raise CanceledError("Embedding was canceled. Finished images stay in the cache.")
            with suppress(queue.Empty):
                result = results.get(timeout=POLL_SECONDS)
                if result is None:
                    return
                if isinstance(result, Exception):
                    raise result
                yield result
    finally:
        stopped.set()
