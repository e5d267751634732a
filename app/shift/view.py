"""The Shift page: the preview of a target domain and corrupted copies of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from vecaf.evaluation.corruptions.matching import NAMES, SEVERITIES
from vecaf.store import Run, Sample, Task

from ..shell.address import link
from ..shell.formatting import percent
from ..shell.templates import macros
from .routes import preview_url

EXAMPLES = ("a cartoon of", "in thick fog", "at night", "a black and white line drawing of")


@dataclass(frozen=True)
class ShiftedClass:
    """A class with `count` images, and the images closest to its shifted center.

    `guessed`: how many of the images have no label.
    """

    name: str
    count: int
    guessed: int
    images: list[Sample]


def no_dataset() -> Markup:
    return _html("no_dataset")


def missing(problem: str) -> Markup:
    return _html("missing", problem)


def top(
    datasets: Sequence[tuple[int, str]],
    dataset_id: int,
    words: str,
    warning: str | None,
    base: Run | None,
) -> Markup:
    """Return the title, the dataset, the run that the page was opened from, the target domain."""
    return _html("top", datasets, dataset_id, words, warning, base, EXAMPLES)


def shown_samples(task: Task | None) -> list[int]:
    """Return the ids of the samples that `preview` shows."""
    return [id_ for one in _classes(task) for id_ in one["nearest"]]


def preview(words: str, task: Task | None, samples: Mapping[int, Sample]) -> Markup:
    """Return the preview as far as its task has come, or what to do without a task."""
    classes = [
        ShiftedClass(
            one["name"],
            one["images"],
            one["images"] - one.get("labeled", one["images"]),  # earlier previews don't store it
            _found(one["nearest"], samples),
        )
        for one in _classes(task)
    ]
    return _html("preview", words, task, classes, _facts(task))


def strips(
    samples: Sequence[Sample],
    corruption: str,
    matched: str | None,
    address: Mapping[str, object],
) -> Markup:
    """Return corrupted copies of some images. `address`: the parameters of the page's address."""
    copies = [
        (sample, [(s, preview_url(sample.id, sample.sha256, corruption, s)) for s in SEVERITIES])
        for sample in samples
    ]
    options = [(name, link("/shift", **{**address, "corruption": name})) for name in NAMES]
    return _html("strips", copies, corruption, matched, options, SEVERITIES, bool(address["words"]))


def _facts(task: Task | None) -> list[tuple[str, str]]:
    """Return the numbers behind a preview, as terms and values."""
    if task is None or not task.result:
        return []
    found = task.result
    strength = ("Shift strength (β)", f"{found['strength']:g}")
    if found.get("learned"):
        return [
            strength,
            (
                "Cosine similarity to the closest domain in the VLM's training data",
                f"{found['reach']:.2f}",
            ),
        ]
    return [
        strength,
        (
            "Share of the shift along directions in which your images differ",
            percent(found["reach"]),
        ),
        (
            "Agreement of the vision model and the VLM on which images fit the description "
            "(correlation)",
            f"{found['agreement']:.2f}",
        ),
    ]


def _classes(task: Task | None) -> list[dict[str, Any]]:
    classes: list[dict[str, Any]] = (task.result or {}).get("classes", []) if task else []
    return classes


def _found(ids: Sequence[int], samples: Mapping[int, Sample]) -> list[Sample]:
    return [samples[id_] for id_ in ids if id_ in samples]


def _html(macro: str, *values: object) -> Markup:
    html: Markup = getattr(macros("shift"), macro)(*values)
    return html
