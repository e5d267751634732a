"""Repeat a selection from its receipt and compare it with the recorded one."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.datasets.snapshot import NAME as SNAPSHOT
from vecaf.datasets.snapshot import with_snapshot
from vecaf.encoders.runtime import choose_device
from vecaf.errors import InputError, UnavailableError, VecafError
from vecaf.export.environment import run_environment
from vecaf.export.receipt import Receipt, data_hash, rows_by_content, version_differences
from vecaf.runs.preparation import with_device
from vecaf.runs.recording import MemoryRecorder, RoundSelection
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import Dataset, Run, Store, readable


@dataclass(frozen=True)
class RoundComparison:
    """One round of a replay.

    Attributes
    ----------
    selected
        Number of images in the receipt.
    same
        Number of images in both selections.
    matches
        Whether both have the same images at the same ranks. None if the round used a saved
        selection, so that there was nothing to repeat.
    """

    round: int
    selected: int
    same: int
    matches: bool | None


@dataclass(frozen=True)
class ReplayResult:
    """The result of a replay. `notes` are sentences on what has changed since the run."""

    dataset: str
    rounds: tuple[RoundComparison, ...]
    notes: tuple[str, ...]

    @property
    def matches(self) -> bool:
        """Whether all rounds that could be repeated match."""
        return all(r.matches is not False for r in self.rounds)

    def as_dict(self) -> dict[str, Any]:
        return {"matches": self.matches} | asdict(self)

    def sentences(self) -> list[str]:
        """Describe the result for people, round by round."""
        lines = [_sentence(r) for r in self.rounds]
        if all(r.matches is None for r in self.rounds):
            done = (
                "The run used only saved selections, so there is nothing to replay. The dataset "
                "contains all images of the receipt."
            )
            return [*lines, *self.notes, done]
        verdict = "The selection matches." if self.matches else "The selection does not match."
        return [*lines, *self.notes, verdict]


def _sentence(r: RoundComparison) -> str:
    if r.matches is None:
        return f"Round {r.round}: used a saved selection of {r.selected} images."
    if r.matches:
        return f"Round {r.round}: the same {r.selected} images in the same order."
    if r.same == r.selected:
        return f"Round {r.round}: the same {r.selected} images in a different order."
    return f"Round {r.round}: {r.same} of {r.selected} images are the same."


def replay(
    store: Store,
    user_id: int,
    receipt: Receipt,
    on_stage: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> ReplayResult:
    """Select again with the settings of the receipt, and train where later rounds need it.

    Every round starts from the recorded selections of earlier rounds, so that one difference does
    not cause others. The replay records nothing and does not train the last round.

    Raises
    ------
    InputError
        The dataset does not exist or lacks images of the receipt.
    """
    dataset, samples, notes = _find_data(store, user_id, receipt)
    recorded = _recorded_ids(receipt, samples)
    config, device_notes = _with_available_device(receipt.config)
    recorder = _ComparingRecorder(recorded, samples, bool(config.subset), on_stage)
    if len(recorder.compared) == config.rounds:
        return ReplayResult(dataset.name, tuple(recorder.compared), notes)
    with tempfile.TemporaryDirectory(prefix="vecaf-replay-") as folder, suppress(_ComparedError):
        run_rounds(config, samples, recorder, Path(folder), store.settings)
    settings = with_device(config, store.settings)
    notes = (*notes, *device_notes, *_version_notes(receipt, settings))
    return ReplayResult(dataset.name, tuple(recorder.compared), notes)


class _ComparedError(VecafError):
    """All selections are compared, so the rest of the run is not needed."""


class _ComparingRecorder(MemoryRecorder):
    """Compares each new selection with the recorded one, and continues from the recorded one.

    Images are compared by content, so an exact duplicate counts as the same image.
    """

    def __init__(
        self,
        recorded: tuple[NDArray[np.int64], ...],
        samples: Samples,
        saved_selection: bool,
        on_stage: Callable[[str, int, int], None],
    ) -> None:
        """Expect the `recorded` sample ids by round; the first may be a `saved_selection`."""
        super().__init__(on_stage=on_stage)
        self.recorded = recorded
        self.key_of = dict(zip(samples.ids.tolist(), samples.keys, strict=True))
        size = len(recorded[0])
        self.compared = [RoundComparison(1, size, size, None)] if saved_selection else []

    def selection(self, round: int) -> RoundSelection | None:
        if round > len(self.compared):
            return None
        return RoundSelection(self.recorded[round - 1], {})

    def record_selection(self, round: int, selection: RoundSelection) -> None:
        recorded, repeated = (
            [self.key_of[sample_id] for sample_id in ids.tolist()]
            for ids in (self.recorded[round - 1], selection.sample_ids)
        )
        same = (Counter(recorded) & Counter(repeated)).total()
        matches = recorded == repeated
        self.compared.append(RoundComparison(round, len(recorded), same, matches))
        if round == len(self.recorded):
            raise _ComparedError


def _find_data(
    store: Store, user_id: int, receipt: Receipt
) -> tuple[Dataset, Samples, tuple[str, ...]]:
    """Return the dataset of the receipt, its samples, and notes on what has changed.

    The samples have the labels and captions of the start of the run if these are still stored.
    """
    notes: list[str] = []
    query = sa.select(Dataset).where(readable(Dataset, user_id)).order_by(Dataset.id)
    with store.read() as session:
        datasets = session.scalars(query).all()
        same = [d for d in datasets if d.content_hash == receipt.content_hash]
        named = [d for d in datasets if d.name == receipt.dataset]
        found = next((d for d in same if d in named), None) or next(iter(same), None)
        if found is None and not named:
            raise InputError(
                f"No dataset contains the images of the receipt, and none is called "
                f"'{receipt.dataset}'. Import the dataset first: python -m vecaf import"
            )
        if found is None:
            found = named[0]
            notes.append(
                f"The images of '{found.name}' have changed since the run, so the selection may "
                "differ."
            )
        samples = load_samples(session, found, store.settings.images)
        run = session.get(Run, receipt.run)
        own = run is not None and run.dataset_id == found.id
    if receipt.data_hash and data_hash(samples) != receipt.data_hash:
        original = _at_start(store.settings.runs / str(receipt.run), samples) if own else None
        if original is not None and data_hash(original) == receipt.data_hash:
            samples = original
            notes.append(
                "Labels, captions, or exclusions have changed since the run. The replay used those "
                "from the start of the run."
            )
        elif not notes:
            notes.append(
                "Labels, captions, splits, or exclusions have changed since the run, so the "
                "selection may differ."
            )
    return found, samples, tuple(notes)


def _at_start(folder: Path, samples: Samples) -> Samples | None:
    if not (folder / SNAPSHOT).exists():
        return None
    original = with_snapshot(samples, folder)
    return original if len(original.labels) == len(samples) else None


def _recorded_ids(receipt: Receipt, samples: Samples) -> tuple[NDArray[np.int64], ...]:
    """Return the selected images of the receipt as sample ids, by round.

    A dataset can contain copies of an image with different labels and captions. The copy that the
    receipt names is used, or else the first unused copy.
    """
    rows, used = rows_by_content(samples), set[int]()

    def use_row(key: str, copy: int) -> int:
        """Return an unused row of the image, or −1."""
        copies = rows.get(key, [])
        unused = [row for row in [*copies[copy : copy + 1], *copies] if row not in used]
        used.update(unused[:1])
        return unused[0] if unused else -1

    ids, missing = [], 0
    for number, keys in enumerate(receipt.selected):
        copies = receipt.copies[number] if receipt.copies else (0,) * len(keys)
        found = [use_row(key, copy) for key, copy in zip(keys, copies, strict=True)]
        missing += found.count(-1)
        ids.append(samples.ids[[row for row in found if row >= 0]])
    if missing:
        total = sum(map(len, receipt.selected))
        raise InputError(
            f"{missing} of the {total} selected images of the receipt are not in the pool of the "
            "dataset. Import the dataset that the run used."
        )
    return tuple(ids)


def _with_available_device(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """Replace a device that this machine does not have; return notes on the change."""
    try:
        choose_device(config.device)
    except UnavailableError:
        note = f"The run used {config.device}, which this machine does not have."
        return replace(config, device="auto"), [note]
    return config, []


def _version_notes(receipt: Receipt, settings: Settings) -> list[str]:
    if not receipt.versions:
        return ["The receipt does not list the software versions of the run."]
    differing = version_differences(receipt.versions[-1], run_environment(settings))
    return [f"Differs from the run: {'; '.join(differing)}."] if differing else []
