"""Target domains described by words: `python -m benchmarks.shift [--seeds 3]`

Trains a classifier on one dataset and tests it on another one with the same classes. The variants
are: no words, target words, a random direction of equal length, wrong words, and augmented images
(AugMix, RandAugment) instead of words. The last row is the VLM's zero-shot accuracy with the target
words. Prints the mean accuracy over the seeds, and the difference from no words, paired by seed,
with its 95% t-interval. The default is the demo, from color images to line drawings. Pass other
datasets by path:

    python -m benchmarks.shift --source A.zip --target B.zip --words "a cartoon of a"
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.changed import AUGMENTATIONS, augmentation, embed_changed
from vecaf.arrays import Floats, unit_rows
from vecaf.augmentation.shift import Shift, random_shift
from vecaf.augmentation.shift_text import sentences
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.augmentation.text_guidance import TextGuidance
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset, import_demo
from vecaf.datasets.pool import Samples, load_samples
from vecaf.encoders import load_vlm
from vecaf.encoders.dataset_features import embed_samples, pvm_for
from vecaf.evaluation.comparison import interval
from vecaf.runs.demo_run import COLOR, LINE
from vecaf.runs.plan import RunPlan
from vecaf.runs.preparation import prepare
from vecaf.runs.recording import MemoryRecorder
from vecaf.settings import Settings
from vecaf.store import TEST, Store, dataset_named
from vecaf.training.learner import Learner
from vecaf.training.model import center_rows
from vecaf.training.reporter import SILENT

DEMO_WORDS, WRONG = "a black and white line drawing of", "in thick fog"
SOURCE, TARGET = "source", "target"
PLAIN, WORDED = "no words", "target words, as a run does"


@dataclass(frozen=True)
class TargetImages:
    """The images on which accuracy is measured, as features of the source's backbone."""

    features: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class SelectedStart:
    """The images that one seed selects from the source, on which several heads are trained."""

    config: RunConfig
    plan: RunPlan
    learner: Learner
    guidance: TextGuidance
    selected: NDArray[np.int64]
    folder: str

    @classmethod
    def of(
        cls, config: RunConfig, source: Samples, settings: Settings, folder: str
    ) -> SelectedStart:
        """Select the images. `folder` is for temporary files of the training."""
        recorder = MemoryRecorder()
        asked = replace(config, target_words=DEMO_WORDS)  # enables text guidance
        learner, guidance = prepare(asked, source, recorder, Path(folder), settings)
        plan = RunPlan.of(asked, source)
        nothing = plan.selected(recorder, upto=0)
        view = learner.outputs(plan.pool)
        seen = guidance.pull(view.features, plan.pool, plan.visible_labels(nothing))
        recorder.record_selection(1, plan.select(view, seen, nothing, 1))
        return cls(config, plan, learner, guidance, plan.selected(recorder, upto=1), folder)

    def accuracies(
        self, words: str, wrong: str, targets: Mapping[str, TargetImages]
    ) -> dict[str, tuple[float, dict[str, float]]]:
        """Return β and accuracies of each variant, on the source test split and the targets."""
        plan, source, context = self.plan, self.plan.samples, self.learner.context
        base, places = context.pretrained(plan.pool), plan.pool_positions(self.selected)
        pulled = self.guidance.pull(base, plan.pool, plan.visible_labels(self.selected))[places]
        domain = SourceDomain(
            base[places], source.labels[self.selected],
            context.pretrained(plan.val), source.labels[plan.val],
        )  # fmt: skip
        found, others = (
            replace(self.guidance, target=target).shift(base, plan.pool, domain)
            for target in (words, wrong)
        )
        variants: dict[str, Shift] = {
            PLAIN: replace(found, strength=0.0),
            WORDED: found,
            # With the β of the words, or β = 1 if a run would choose 0.
            "random directions, same lengths": random_shift(found, self.config.seed),
            "wrong words, as a run does": others,
        }
        if not found.strength:
            variants["target words, forced to β = 1"] = replace(found, strength=1.0)
        rows = {}
        for name, shift in variants.items():
            moved = [shift.move(base[places], self.config.seed)] if shift.strength else []
            extra = np.concatenate([pulled, *moved])
            rows[name] = (shift.strength, self._trained(extra, targets))
        return rows

    def augmented(self, name: str, targets: Mapping[str, TargetImages]) -> dict[str, float]:
        """Return the accuracies with augmented images instead of words."""
        plan = self.plan
        base = self.learner.context.pretrained(plan.pool)
        places = plan.pool_positions(self.selected)
        pulled = self.guidance.pull(base, plan.pool, plan.visible_labels(self.selected))[places]
        paths = [plan.samples.paths[row] for row in self.selected]
        changed = embed_changed(
            self.learner.context.pvm, paths, augmentation(name, self.config.seed)
        )
        rows = center_rows(torch.from_numpy(changed), self.learner.context.features.mean).numpy()
        return self._trained(np.concatenate([pulled, rows]), targets)

    def _trained(self, extra: Floats, targets: Mapping[str, TargetImages]) -> dict[str, float]:
        """Train a new head on the selected images and `extra`; return its accuracies."""
        plan = self.plan
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            learner = Learner(replace(self.learner.context, folder=Path(folder)))
            learner.learn(1, self.selected, extra, plan.val, SILENT)
        head = learner.head_training.trained()
        own = learner.logits(plan.test).argmax(axis=1) == plan.samples.labels[plan.test]
        right = {SOURCE: float(own.mean())}
        for name, place in targets.items():
            with torch.inference_mode():
                logits = head(head.center(torch.from_numpy(place.features)))
            right[name] = float((logits.numpy().argmax(axis=1) == place.labels).mean())
        return right


def zero_shot(
    config: RunConfig, words: str, source: Samples, target: TargetImages, home: Path
) -> float:
    """Compute the VLM's zero-shot accuracy on the target with the target words."""
    settings = Settings.from_environment({"VECAF_HOME": str(home)})
    size = pvm_for(config, source).preprocessing.image_size
    vlm = load_vlm(config.vlm, image_size=size, cache=settings.embeddings)
    asked = [[shifted for _, shifted in sentences(words, name)] for name in source.classes]
    texts = unit_rows(np.stack([vlm.embed_texts(one).mean(axis=0) for one in asked]))
    guesses = (vlm.embed_features(target.features) @ texts.T).argmax(axis=1)
    return float((guesses == target.labels).mean())


def read_dataset(store: Store, name: str) -> Samples:
    """Read a dataset by name."""
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), name)
        return load_samples(session, dataset, store.settings.images)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--target", type=Path)
    parser.add_argument(
        "--home", type=Path, help="a studio's folder with datasets named --source and --target"
    )
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
        source, other = (read_dataset(store, name) for name in names)
        if source.classes != other.classes:
            parser.error("the two datasets have different classes")
        config = RunConfig(dataset=names[0], budget=given.budget, rounds=1)
        pvm = pvm_for(config, source)
        features, _ = embed_samples(pvm, other, settings, lambda done, total: None)
        rows = other.rows(TEST) if given.target is None else np.arange(len(other))
        target = TargetImages(features[rows], other.labels[rows])
        results = []
        for seed in range(given.seeds):
            print(f"seed {seed} …", file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                start = SelectedStart.of(replace(config, seed=seed), source, settings, folder)
                found = start.accuracies(given.words, given.wrong, {TARGET: target})
                for name in AUGMENTATIONS:
                    found[name] = (0.0, start.augmented(name, {TARGET: target}))
                results.append(found)
        asked = zero_shot(config, given.words, source, target, home)
    _show(results)
    print(f"| VLM zero-shot, “{given.words}” | – | – | {100 * asked:.1f} | – | – |")
    print(
        f"\nWords “{given.words}”, wrong words “{given.wrong}”; {given.seeds} seeds, "
        f"{given.budget} of {len(source.pool)} images, {len(source.rows(TEST))} test images of the "
        f"source, {len(rows)} images of the target; {time.monotonic() - started:.0f} s."
    )


def _show(results: list[dict[str, tuple[float, dict[str, float]]]]) -> None:
    """Print the table of the variants that all seeds have."""
    print("| variant | β by seed | source | target | source − no words | target − no words |")
    print("|---|---|---|---|---|---|")
    for name in [name for name in results[0] if all(name in one for one in results)]:
        values, plain = (
            100 * np.array([[one[which][1][side] for side in (SOURCE, TARGET)] for one in results])
            for which in (name, PLAIN)
        )
        betas = ", ".join(f"{one[name][0]:g}" for one in results)
        gaps = " | ".join(_gap((values - plain)[:, side].tolist()) for side in (0, 1))
        means = " | ".join(f"{mean:.1f}" for mean in values.mean(axis=0))
        print(f"| {name} | {betas} | {means} | {gaps if name != PLAIN else '– | –'} |")


def _gap(values: list[float]) -> str:
    found = interval(values)
    if found.low is None or found.high is None:
        return f"{found.mean:+.1f}"
    return f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


if __name__ == "__main__":
    main()
