"""Time to the first response: import, selection, map, search, prediction and export.

Requests go through the command line, over HTTP, or as a row in the queue, which is what a button on
a page writes. Data folders are temporary. Each server can finish its idle work before a request, so
idle preparation is not measured. CPU time is that of the command, or of the server and all its
processes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.speed.figures import Figure, parser_of
from benchmarks.speed.importing import first_images
from benchmarks.speed.studio import RunningStudio, Waited
from vecaf.config import RunConfig

BUDGET, ROUNDS = 45, 3
NAME = "photos"
CONFIG = RunConfig(mode="head-only")
MEASURED = ("model", "image_size", "mode", "batch_size", "strategy", "device", "lora_rank")
COSTING = {name: getattr(CONFIG, name) for name in MEASURED}
SELECTED = ("strategy", "caption_weight", "track", "model", "vlm", "image_size")
SELECTING = {name: getattr(CONFIG, name) for name in SELECTED} | {
    "budget": str(BUDGET),
    "revision": 0,
}
RUN = {"dataset": NAME, "budget": "30", "rounds": ROUNDS, "mode": CONFIG.mode}


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("first_answers", __doc__, repeats=1)
    parser.add_argument("--zip", type=Path, default=Path("../shared/data/pacs_photo.zip"))
    parser.add_argument("--images", type=int, default=900, help="number of images from the archive")
    parser.add_argument(
        "--busy", type=int, default=0, help="number of processes that each keep a core busy"
    )
    options = parser.parse_args(arguments)
    by_processor = options.timer is not time.perf_counter

    def figure(name: str, waited: Waited, limit: float | None = None) -> Figure:
        seconds, used = waited
        if by_processor:
            return Figure(name, used, note=f"{seconds:.1f} s elapsed")
        return Figure(name, seconds, limit=limit, note=f"{used:.1f} s CPU time")

    with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as folder, _busy(options.busy):
        archive = first_images(options.zip, Path(folder) / "photos.zip", options.images)
        home = Path(folder) / "home"
        for name, words, limit in (
            (f"import {options.images} photos", ["import", str(archive), "--name", NAME], None),
            (f"select {BUDGET}, embedding included", _select(), None),
            (f"select {BUDGET} again", _select(), 3.0),
        ):
            yield figure(f"command: {name}", _command(words, home), limit)
        yield from (figure(*row) for row in _of_a_studio(home, options.images))
        yield from (figure(*row) for row in _after_an_upload(Path(folder) / "other", archive))
        yield from (figure(*row) for row in _after_embedding(Path(folder) / "third", archive))


Row = tuple[str, Waited, float | None]


def _of_a_studio(home: Path, images: int) -> Iterator[Row]:
    """Measure a studio that has an embedded dataset."""
    with RunningStudio(home) as studio:
        dataset = studio.dataset(NAME)
        for seed, name in enumerate(("select", "select again"), start=1):
            studio.settle()
            yield (
                f"page: {name}",
                studio.task("selection", dataset, {**SELECTING, "seed": seed}),
                1.5,
            )
        studio.settle()
        yield "page: cost estimate", studio.task("cost", dataset, COSTING), None
        studio.settle()
        waited, run = studio.run(RUN)
        yield f"page: run of {ROUNDS} × 30 images, head only", waited, None
        image = studio.an_image(dataset)
    questions: tuple[tuple[str, Callable[[RunningStudio], object], float | None], ...] = (
        ("text search", lambda asked: asked.get(f"/explore/{dataset}/search?text=a+dog"), None),
        ("image search", lambda asked: asked.post(f"/explore/{dataset}/search-image", image), None),
        ("prediction", lambda asked: asked.post(f"/api/v1/runs/{run}/predict", image), 2.0),
        ("export", lambda asked: asked.export(run), 8.0),
    )
    for name, question, limit in questions:
        with RunningStudio(home) as studio:
            studio.settle()
            yield f"page: first {name}", studio.timed(partial(question, studio)), limit
            if name != "export":
                yield f"page: next {name}", studio.timed(partial(question, studio)), None


def _after_an_upload(home: Path, archive: Path) -> Iterator[Row]:
    """Measure a studio during and right after an import through its page."""
    home.mkdir()
    with RunningStudio(home) as studio:
        studio.settle()
        yield "page: import", studio.imported(archive, NAME), None
        dataset = studio.dataset(NAME)
        yield "page: first map, right after the import", studio.task("map", dataset, {}), None


def _after_embedding(home: Path, archive: Path) -> Iterator[Row]:
    """Measure searches as soon as a new dataset is embedded, which warms them up."""
    home.mkdir()
    with RunningStudio(home) as studio:
        studio.settle()
        studio.imported(archive, NAME)
        dataset = studio.dataset(NAME)
        image = studio.an_image(dataset)
        search, post = f"/explore/{dataset}/search?text=", f"/explore/{dataset}/search-image"
        yield "page: embedding after an import", studio.embedded(dataset), None
        for name, ask, limit in (
            ("text search after the embedding", lambda: studio.get(f"{search}dog"), 3.0),
            ("image search after that", lambda: studio.post(post, image), 3.0),
            ("next text search", lambda: studio.get(f"{search}house"), 0.5),
            ("next image search", lambda: studio.post(post, image), 0.5),
        ):
            yield f"page: {name}", studio.timed(ask), limit


def _select() -> list[str]:
    return ["select", NAME, "--budget", str(BUDGET), "--json"]


def _command(words: list[str], home: Path) -> Waited:
    """Run a command of the studio. Raises CalledProcessError if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "vecaf", *words],
        env={**os.environ, "VECAF_HOME": str(home), "DATABASE_URL": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep `count` cores busy during the measurement."""
    command = [sys.executable, "-c", "while True: pass"]
    beside = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait()
