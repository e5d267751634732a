"""Zero-shot accuracy of the installed VLM: `python -m benchmarks.zero_shot`

Measures the top-1 accuracy on CIFAR-10's test split at 96 pixels and on two PACS domains, and
whether the VLM distinguishes photos from cartoons. The baseline is ConSE, from which the projection
was initialized. None of these images was used in training; labels are used only for scoring. The
column "fitted over all images" fits a classifier to the scores of all images of the row at once,
without labels (`text_classifier`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shift import read_dataset
from vecaf.arrays import Floats, unit_rows
from vecaf.augmentation.text_classifier import text_classifier
from vecaf.datasets import import_dataset
from vecaf.encoders import load_vlm
from vecaf.encoders.conse import convex_combination
from vecaf.encoders.dataset_features import embed_samples
from vecaf.encoders.imagenet import embed_classes
from vecaf.encoders.vision_models import PVMS
from vecaf.encoders.vlm import VLM
from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store import TEST, Store
from vecaf.training.model import CenteredFeatures

DATA = Path(__file__).parents[2] / "shared" / "data"
PROMPTS = {
    "“a photo of a …”": ("a photo of a {}",),
    "four": ("a photo of a {}", "a {}", "a picture of a {}", "{}"),
    "“a cartoon of a …”": ("a cartoon of a {}",),
}
STYLES = ("a photo", "a cartoon")


@dataclass(frozen=True)
class EmbeddedImages:
    """Raw features (n, d) of a dataset's images at the studio's default size, and their labels."""

    classes: Sequence[str]
    features: Floats
    labels: NDArray[np.int64]
    image_size: int


def embed(store: Store, name: str, path: Path, split: str | None) -> EmbeddedImages:
    """Embed the images of a split (None: all), importing the dataset if necessary."""
    try:
        samples = read_dataset(store, name)
    except VecafError:
        print(f"importing {path.name} …", file=sys.stderr)
        import_dataset(store, path, name)
        samples = read_dataset(store, name)
    pvm = PVMS["efficientnet_lite0"]().at_size_of(samples.short_sides)
    features, _ = embed_samples(pvm, samples, store.settings, lambda done, total: None)
    rows = np.arange(len(samples)) if split is None else samples.rows(split)
    return EmbeddedImages(
        samples.classes, features[rows], samples.labels[rows], pvm.preprocessing.image_size
    )


def class_texts(vlm: VLM, classes: Sequence[str], prompts: Sequence[str]) -> Floats:
    """Embed the class names; returns unit rows (k, d), averaged over the prompts."""
    names = [name.replace("_", " ") for name in classes]
    rows = [vlm.embed_texts([prompt.format(name) for name in names]) for prompt in prompts]
    return unit_rows(np.mean(rows, axis=0))


def conse(vlm: VLM, features: Floats) -> Floats:
    """Embed images with ConSE, without the projection; returns unit rows (n, d)."""
    weight, bias = PVMS["efficientnet_lite0"]().classifier()
    classes = embed_classes(vlm.text_tower)
    return unit_rows(convex_combination(features, weight, bias, classes - classes.mean(axis=0)))


def transductive(features: Floats, scores: Floats) -> Floats:
    """Return the scores (n, k) of a classifier that is fitted to the scores of all images."""
    rows = CenteredFeatures.of(features, np.arange(len(features)), "cpu").rows.numpy()
    return np.asarray(rows @ text_classifier(rows, scores).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=DATA, help="the folder with the three ZIP files"
    )
    parser.add_argument("--home", type=Path, help="a studio's folder, to reuse embeddings")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as apart:
        home = given.home or Path(apart)
        store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
        table = (("cifar10", TEST), ("pacs_photo", None), ("pacs_cartoon", None))
        embedded = {
            name: embed(store, name, given.data / f"{name}.zip", split) for name, split in table
        }
        print("| | images | prompt | fitted over all images | projection | ConSE alone |")
        print("|---|---|---|---|---|---|")
        for name, one in embedded.items():
            vlm = load_vlm("embedded", image_size=one.image_size, cache=store.settings.embeddings)
            rows = vlm.embed_features(one.features), conse(vlm, one.features)
            for description, prompts in PROMPTS.items():
                texts = class_texts(vlm, one.classes, prompts)
                scores = [
                    transductive(one.features, rows[0] @ texts.T),
                    *(r @ texts.T for r in rows),
                ]
                found = [100 * (s.argmax(axis=1) == one.labels).mean() for s in scores]
                shown = " | ".join(f"{value:.1f}" for value in found)
                print(f"| {name} | {len(rows[0])} | {description} | {shown} |")
        texts = vlm.embed_texts(STYLES)
        right = []
        for truth, name in enumerate(("pacs_photo", "pacs_cartoon")):
            rows = vlm.embed_features(embedded[name].features), conse(vlm, embedded[name].features)
            right.append([100 * ((r @ texts.T).argmax(axis=1) == truth).mean() for r in rows])
        for name, found in zip(STYLES, right, strict=True):
            print(f"| accuracy on “{name}” | – | – | – | {found[0]:.1f} | {found[1]:.1f} |")
        both = np.mean(right, axis=0)
        print(f"| mean of these two | – | – | – | {both[0]:.1f} | {both[1]:.1f} |")


if __name__ == "__main__":
    main()
