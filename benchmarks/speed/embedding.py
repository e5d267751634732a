"""Embedding: compared with eager timm, from the cache, and after images were added.

Needs the datasets `cifar10` and `pacs_photo` in VECAF_HOME. The baseline is a typical timm program:
`create_transform`, a DataLoader, and the eager model in inference mode. Both read the same files.
The time with decoded images in memory shows whether the encoder waits for decoding. Embeddings are
written to a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import samples_of
from benchmarks.speed.figures import Figure, alternating, parser_of
from vecaf.encoders.dataset_features import embed_samples
from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.encoders.pvm import PVM
from vecaf.encoders.runtime import Runtime, compile_encoder, effective_precision, encode_files
from vecaf.encoders.vision_models import load_pvm
from vecaf.settings import Settings

MODEL = "efficientnet_lite0"
DATASETS = (("cifar10", 96), ("pacs_photo", 224))
BATCH = 64  # of the baseline


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("embedding", __doc__, repeats=2)
    parser.add_argument("--images", type=int, default=2000, help="maximum number per dataset")
    parser.add_argument("--added", type=int, default=1000, help="images added later")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the DataLoader")
    options = parser.parse_args(arguments)
    settings = Settings.from_environment()
    for name, size in DATASETS:
        yield from _against_timm(name, load_pvm(MODEL, size), settings, options)
    yield from _again(settings, options)


def _against_timm(
    name: str, pvm: PVM, settings: Settings, options: argparse.Namespace
) -> Iterator[Figure]:
    samples = samples_of(name, settings)
    rows = np.random.default_rng(0).permutation(len(samples))[: options.images]
    paths = [samples.paths[row] for row in rows]
    wants = pvm.preprocessing
    exact = compile_encoder(pvm.build(), wants)
    fast = compile_encoder(pvm.build(), wants, precision=effective_precision("fast", "cpu"))
    decoded = np.stack([pixels(decode(path), wants) for path in paths])

    def through(runtime: Runtime) -> Callable[[], object]:
        return lambda: list(encode_files(runtime, paths, wants))

    def encoder_alone(runtime: Runtime) -> Callable[[], object]:
        batch = runtime.batch_size
        cut = [decoded[start : start + batch] for start in range(0, len(paths), batch)]
        return lambda: list(runtime.run(cut))

    eager, float32, bare, quick, bare_quick = alternating(
        plain_loop(pvm, paths, options.workers),
        through(exact),
        encoder_alone(exact),
        through(fast),
        encoder_alone(fast),
        repeats=options.repeats,
        timer=options.timer,
    )
    what = f"embed {len(paths):,} images of {name} at {wants.image_size} px"
    yield Figure(f"{what}, float32", float32, ("eager timm", eager), faster=4)
    yield Figure(f"{what}, fast", quick, ("eager timm", eager), faster=8)
    yield Figure(f"{what}, float32, and its encoder", float32, ("decoded before", bare))
    yield Figure(f"{what}, fast, and its encoder", quick, ("decoded before", bare_quick))


def plain_loop(pvm: PVM, paths: Sequence[Path], workers: int) -> Callable[[], object]:
    """Return a loop over a DataLoader with timm's transform and the eager model."""
    import torch
    from timm.data.transforms_factory import create_transform
    from torch.utils.data import DataLoader

    images: Any = Files(paths, pvm.preprocessing, create_transform)
    model = pvm.build()

    def loop() -> object:
        with torch.inference_mode():
            return [model(batch) for batch in DataLoader(images, BATCH, num_workers=workers)]

    return loop


class Files:
    """A map-style dataset of image files, with labels if given."""

    def __init__(
        self, paths: Sequence[Path], wants: Preprocessing, create: Any, labels: Any = None
    ) -> None:
        side = wants.image_size
        self.paths, self.labels = paths, labels
        self.transform = create(
            (3, side, side),
            mean=wants.mean,
            std=wants.std,
            interpolation=wants.interpolation,
            crop_pct=wants.crop,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> Any:
        from PIL import Image

        image = self.transform(Image.open(self.paths[place]).convert("RGB"))
        return image if self.labels is None else (image, int(self.labels[place]))


def _again(settings: Settings, options: argparse.Namespace) -> Iterator[Figure]:
    """Embed a dataset again, and once more after images were added."""
    samples = samples_of(DATASETS[0][0], settings)
    pvm = load_pvm(MODEL, DATASETS[0][1])
    embed_samples(pvm, samples, settings, lambda done, total: None)

    def second() -> None:
        _, computed = embed_samples(pvm, samples, settings, lambda done, total: None)
        assert computed == 0

    (seconds,) = alternating(second, repeats=options.repeats, timer=options.timer)
    yield Figure(f"embed {len(samples):,} images a second time", seconds, limit=1)

    few = np.arange(min(options.images, len(samples)))
    more = np.arange(min(options.images + options.added, len(samples)))
    with tempfile.TemporaryDirectory(prefix="vecaf-speed-") as folder:
        apart = replace(settings, home=Path(folder))
        embed_samples(pvm, samples.take(few), apart, lambda done, total: None)
        computed = [0]

        def grown() -> None:
            grown = samples.take(more)
            computed[0] = embed_samples(pvm, grown, apart, lambda done, total: None)[1]

        (seconds,) = alternating(grown, repeats=1, timer=options.timer)
    note = f"computed {computed[0]:,}"
    yield Figure(f"embed {len(more) - len(few):,} more images", seconds, note=note)
