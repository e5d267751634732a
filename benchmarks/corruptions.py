"""Target domains described by words, on corrupted images: `python -m benchmarks.corruptions`

Trains a classifier on a dataset in VECAF_HOME. Tests it on the test images with the corruptions
fog, snow, frost, brightness and contrast at the five severities of ImageNet-C. The variants are: no
words, matching words, random directions of equal length, wrong words, and augmented images instead
of words. Accuracies are means over the severities. Differences from no words are paired by seed,
with 95% t-intervals.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np

from benchmarks.changed import AUGMENTATIONS, Change, embed_changed
from benchmarks.rows import points, samples_of
from benchmarks.shift import PLAIN, SOURCE, WORDED, SelectedStart, TargetImages, zero_shot
from vecaf.config import RunConfig
from vecaf.encoders.dataset_features import pvm_for
from vecaf.evaluation.comparison import paired_over_seeds
from vecaf.evaluation.corruptions.imagenet_c import corrupt
from vecaf.evaluation.corruptions.matching import SEVERITIES
from vecaf.settings import Settings
from vecaf.store import TEST

WORDS = {
    "fog": "in thick fog",
    "snow": "in the snow",
    "frost": "covered with frost",
    "brightness": "in bright sunlight",
    "contrast": "in dim light, with low contrast",
}
WRONG = "a line drawing of"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument(
        "--pool", type=int, default=12_000, help="number of pool images; 0 uses all"
    )
    parser.add_argument("--budget", default="5%")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000, help="number of test images")
    options = parser.parse_args()
    started = time.monotonic()
    settings = Settings.from_environment()
    samples = samples_of(options.dataset, settings, options.pool)
    config = RunConfig(dataset=options.dataset, budget=options.budget, rounds=1)
    pvm = pvm_for(config, samples)
    test = np.random.default_rng(0).permutation(samples.rows(TEST))[: options.images]
    paths = [samples.paths[row] for row in test]
    targets = {}
    for name in WORDS:
        print(f"{name} …", file=sys.stderr)
        features = [embed_changed(pvm, paths, _at(name, severity)) for severity in SEVERITIES]
        targets[name] = TargetImages(
            np.concatenate(features), np.tile(samples.labels[test], len(features))
        )
    asked = {name: zero_shot(config, words, samples, targets[name], settings.home)
             for name, words in WORDS.items()}  # fmt: skip
    found: dict[str, dict[str, list[float]]] = {}
    own: dict[str, list[float]] = {}  # accuracy on the unchanged test images
    strengths: list[float] = []
    for seed in range(options.seeds):
        print(f"seed {seed} …", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            start = SelectedStart.of(replace(config, seed=seed), samples, settings, folder)
            for name, words in WORDS.items():
                for variant, (strength, right) in start.accuracies(
                    words, WRONG, {name: targets[name]}
                ).items():
                    own.setdefault(variant, []).append(right[SOURCE])
                    found.setdefault(variant, {}).setdefault(name, []).append(right[name])
                    if variant == WORDED:
                        strengths.append(strength)
            for variant in AUGMENTATIONS:
                right = start.augmented(variant, targets)
                own.setdefault(variant, []).append(right.pop(SOURCE))
                for name, value in right.items():
                    found.setdefault(variant, {}).setdefault(name, []).append(value)

    print(f"| variant | unchanged | {' | '.join(WORDS)} | mean | difference from no words |")
    print(f"|---|{'---|' * (len(WORDS) + 3)}")
    whole = {
        variant: np.mean([by[name] for name in WORDS], axis=0)  # by seed
        for variant, by in found.items()
        if all(len(by.get(name, ())) == options.seeds for name in WORDS)
    }
    for variant, by_seed in whole.items():
        cells = " | ".join(f"{100 * np.mean(found[variant][name]):.1f}" for name in WORDS)
        gap = "–" if variant == PLAIN else points(
            paired_over_seeds(dict(enumerate(by_seed)), dict(enumerate(whole[PLAIN])))
        )  # fmt: skip
        clean = 100 * np.mean(own[variant])
        print(f"| {variant} | {clean:.1f} | {cells} | {100 * by_seed.mean():.1f} | {gap} |")
    cells = " | ".join(f"{100 * asked[name]:.1f}" for name in WORDS)
    mean = 100 * np.mean(list(asked.values()))
    print(f"| VLM zero-shot with target words | – | {cells} | {mean:.1f} | – |")
    print(
        f"\n{options.seeds} seeds, {options.budget} of {len(samples.pool):,} images, "
        f"{len(test):,} test images × {len(SEVERITIES)} severities; β of the target words "
        f"{', '.join(f'{one:g}' for one in strengths)}; wrong words “{WRONG}”; "
        f"{time.monotonic() - started:.0f} s."
    )


def _at(corruption: str, severity: int) -> Change:
    return lambda image, place: corrupt(image, corruption, severity, seed=place)


if __name__ == "__main__":
    main()
