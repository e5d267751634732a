"""Do target words help? `python -m benchmarks.shift [--seeds 3]`

Trains a head on one dataset and tests it on another of the same classes: without words, with the
target words, along a random direction of equal length, and with wrong words; beside them the VLM's
zero-shot answer to sentences with the target words. Mean accuracy over the seeds, and the
difference from no words, paired by seed, with its 95% t-interval. By default on the demo, colour →
line drawing; other datasets by path:

    python -m benchmarks.shift --source A.zip --target B.zip --words "a cartoon of a"
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.augmentation.shift import Clean, Shift, control, sentences
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset, import_demo
from vecaf.datasets.pool import Samples, load_samples
from vecaf.demo import COLOR, LINE
from vecaf.encoders import load_vlm
from vecaf.encoders.embedding import unit_rows
from vecaf.evaluation.comparison import interval
from vecaf.finetuning.learner import HeadLearner
from vecaf.finetuning.report import Report
from vecaf.plan import Plan
from vecaf.preparation import embed_samples, prepare, pvm_for
from vecaf.recording import MemoryRecorder
from vecaf.settings import Settings
from vecaf.store import TEST, Store, dataset_named

DEMO_WORDS, WRONG = "a black and white line drawing of", "in thick fog"
SOURCE, TARGET = "source", "target"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where accuracies are measured: the target's images in the source's feature space."""

    features: Floats
    labels: NDArray[np.int64]


def accuracies(
    config: RunConfig, words: str, wrong: str, source: Samples, target: Place, settings: Settings
) -> dict[str, tuple[float, float, float]]:
    """One seed: β, and accuracy on the source's test split and on the target, by variant."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = MemoryRecorder()
        asked = replace(config, target_words=words)
        learner, spoken = prepare(asked, source, recorder, Path(folder), settings)
        plan = Plan.of(asked, source)
        nothing = plan.picked(recorder, upto=0)
        view = learner.look(plan.pool)
        seen = spoken.pull(view.features, plan.pool, plan.visible_labels(nothing))
        recorder.record_picks(1, plan.select(view, seen, nothing, 1))
        picked = plan.picked(recorder, upto=1)
        base, places = learner.pretrained(plan.pool), plan.places(picked)
        pulled = spoken.pull(base, plan.pool, plan.visible_labels(picked))[places]
        clean = Clean(
            base[places], source.labels[picked],
            learner.pretrained(plan.val), source.labels[plan.val],
        )  # fmt: skip
        found = spoken.shift(base, plan.pool, clean)
        spoken.target = wrong
        others = spoken.shift(base, plan.pool, clean)
        variants: dict[str, Shift] = {
            "no words": replace(found, strength=0.0),
            "target words, as a run does": found,
            # As far as the words would go: β = 1 where a run would not go at all.
            "random directions, same lengths": control(found, config.seed),
            "wrong words, as a run does": others,
        }
        if not found.strength:
            variants["target words, forced to β = 1"] = replace(found, strength=1.0)
        rows = {}
        for name, shift in variants.items():
            moved = [shift.move(base[places], config.seed)] if shift.strength else []
            extra = np.concatenate([pulled, *moved])
            rows[name] = (shift.strength, *_train(learner, plan, picked, extra, target, folder))
        return rows


def _train(
    learner: HeadLearner,
    plan: Plan,
    picked: NDArray[np.int64],
    extra: Floats,
    target: Place,
    folder: str,
) -> tuple[float, float]:
    """Accuracy on the source's test split and on the target of a head trained anew."""
    import torch

    with tempfile.TemporaryDirectory(dir=folder) as apart:
        learner.folder = Path(apart)  # label-free: every training starts from a new head
        quiet = Report(
            start=lambda step: None, values=lambda step, values: None,
            epoch=lambda done, total: None, should_stop=lambda: False, flush=lambda: None,
        )  # fmt: skip
        learner.learn(1, picked, extra, plan.val, quiet)
    assert learner.head is not None
    own = learner.logits(plan.test).argmax(axis=1) == plan.samples.labels[plan.test]
    with torch.inference_mode():
        logits = learner.head(learner.head.centre(torch.from_numpy(target.features)))
    there = logits.numpy().argmax(axis=1) == target.labels
    return float(own.mean()), float(there.mean())


def zero_shot(config: RunConfig, words: str, source: Samples, target: Place, home: Path) -> float:
    """The VLM's own accuracy on the target, asked with the target words."""
    settings = Settings.from_environment({"VECAF_HOME": str(home)})
    size = pvm_for(config, source).preprocessing.image_size
    vlm = load_vlm(config.vlm, image_size=size, cache=settings.embeddings)
    asked = [[shifted for _, shifted in sentences(words, name)] for name in source.classes]
    texts = unit_rows(np.stack([vlm.embed_texts(one).mean(axis=0) for one in asked]))
    guesses = (vlm.embed_features(target.features) @ texts.T).argmax(axis=1)
    return float((guesses == target.labels).mean())


def read(store: Store, name: str) -> Samples:
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), name)
        return load_samples(session, dataset, store.settings.images)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--target", type=Path)
    parser.add_argument("--home", type=Path, help="a studio that has --source, --target by name")
    parser.add_argument("--words", default=DEMO_WORDS)
    parser.add_argument("--wrong", default=WRONG)
    parser.add_argument("--budget", default="20%")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as apart:
        home = given.home or Path(apart)
        settings = Settings.from_environment({"VECAF_HOME": str(home)})
        store = Store.open(settings)
        names = (str(given.source), str(given.target)) if given.home else (SOURCE, TARGET)
        kinds = zip(names, (given.source, given.target), (COLOR, LINE), strict=True)
        for name, path, kind in () if given.home else kinds:
            print(f"importing the {name} …", file=sys.stderr)
            if path is None:
                import_demo(store, "color" if kind == COLOR else "line", name)
            else:
                import_dataset(store, path, name)
        source, other = (read(store, name) for name in names)
        if source.classes != other.classes:
            parser.error("the two datasets have different classes")
        config = RunConfig(dataset=names[0], budget=given.budget, rounds=1)
        pvm = pvm_for(config, source)
        features, _ = embed_samples(pvm, other, settings, lambda done, total: None)
        rows = other.rows(TEST) if given.target is None else np.arange(len(other))
        target = Place(features[rows], other.labels[rows])
        results = []
        for seed in range(given.seeds):
            print(f"seed {seed} …", file=sys.stderr)
            run = replace(config, seed=seed)
            results.append(accuracies(run, given.words, given.wrong, source, target, settings))
        asked = zero_shot(config, given.words, source, target, home)
    _show(results)
    print(f"| VLM zero-shot, “{given.words}” | – | – | {100 * asked:.1f} | – | – |")
    print(
        f"\nWords “{given.words}”, wrong words “{given.wrong}”; {given.seeds} seeds, "
        f"{given.budget} of {len(source.pool)} images, {len(source.rows(TEST))} test images of the "
        f"source, {len(rows)} images of the target; {time.monotonic() - started:.0f} s."
    )


def _show(results: list[dict[str, tuple[float, float, float]]]) -> None:
    """The table of all variants that every seed has."""
    print("| variant | β by seed | source | target | source − no words | target − no words |")
    print("|---|---|---|---|---|---|")
    for name in [name for name in results[0] if all(name in one for one in results)]:
        values = 100 * np.array([one[name][1:] for one in results])
        plain = 100 * np.array([one["no words"][1:] for one in results])
        betas = ", ".join(f"{one[name][0]:g}" for one in results)
        gaps = " | ".join(_gap((values - plain)[:, side].tolist()) for side in (0, 1))
        means = " | ".join(f"{mean:.1f}" for mean in values.mean(axis=0))
        print(f"| {name} | {betas} | {means} | {gaps if name != 'no words' else '– | –'} |")


def _gap(values: list[float]) -> str:
    found = interval(values)
    if found.low is None or found.high is None:
        return f"{found.mean:+.1f}"
    return f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


if __name__ == "__main__":
    main()
