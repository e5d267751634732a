"""Accuracy of label suggestions while labeling: `python -m benchmarks.labeling DATASET.zip`

Draws random labeling tasks and labels them image by image with the true labels, in the random order
and in the order that the Label page proposes. The table shows how many suggestions are right for
all other images.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.shift import read_dataset
from vecaf.arrays import Labels, Rows
from vecaf.augmentation.captions import class_caption
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import embed_images
from vecaf.inference.image_index import load_image_index
from vecaf.inference.live_head import LiveHead
from vecaf.inference.suggest_labels import zero_shot_logits
from vecaf.selection.labeling_order import labeling_order
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named

VLM = "embedded"
ORDERS = ("random", "most useful first")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[0, 10, 20, 50, 100])
    parser.add_argument("--images", type=int, default=400, help="per task")
    parser.add_argument("--tasks", type=int, default=4)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"VECAF_HOME": home})
        store = Store.open(settings)
        import_dataset(store, given.dataset, "data")
        samples = read_dataset(store, "data")
        pvm = pvm_for(RunConfig(), samples)
        embed_images(pvm, samples.keys, samples.path_of, settings=settings)
        with store.read() as session:
            index = load_image_index(store, dataset_named(session, store.owner(), "data"), VLM)
        texts = index.embed_texts([class_caption(name) for name in samples.classes])
        head = LiveHead(index, samples.classes, zero_shot_logits(index, texts, VLM))
        found = {order: np.zeros((given.tasks, len(given.labels))) for order in ORDERS}
        for number in range(given.tasks):
            rng = np.random.default_rng(number)
            task = rng.choice(samples.pool, min(given.images, len(samples.pool)), replace=False)
            for order, accuracies in found.items():
                accuracies[number] = list(measured(
                    replace(head), task, samples.labels, given.labels, learned=order != ORDERS[0]
                ))  # fmt: skip
    print(f"| labels | {' | '.join(str(count) for count in given.labels)} |")
    print(f"|---|{'---|' * len(given.labels)}")
    for order, accuracies in found.items():
        cells = " | ".join(f"{100 * value:.1f}" for value in accuracies.mean(axis=0))
        print(f"| {order} | {cells} |")
    print(f"\n{given.tasks} tasks of {given.images} images; {time.monotonic() - started:.0f} s.")


def measured(
    head: LiveHead, task: Rows, labels: Labels, counts: list[int], *, learned: bool
) -> Iterator[float]:
    """Label images of a task one by one; yield the accuracy on all other images at each count."""
    others = np.setdiff1d(np.arange(len(labels)), task)
    visual = head.index.visual
    given = np.empty(0, np.int64)
    for count in range(max(counts) + 1):
        if count in counts:
            yield float((head.probabilities(others).argmax(axis=1) == labels[others]).mean())
        left = task[~np.isin(task, given)]
        best = 0
        if learned:
            shares = head.probabilities(left)
            best = int(labeling_order(shares, visual[left], visual[given], 1)[0])
        given = np.sort(np.append(given, left[best]))
        head.learn(given, labels[given])


if __name__ == "__main__":
    main()
