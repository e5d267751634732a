"""A selection repeated from its receipt: the same picks again, or where they part."""

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
from vecaf.export.receipt import Receipt, copies_in, data_hash, differences
from vecaf.export.versions import conditions
from vecaf.runs.preparation import with_device
from vecaf.runs.recording import MemoryRecorder, Picks
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import Dataset, Run, Store, readable


@dataclass(frozen=True)
class Repeated:
    """One round. `matches`: the same images at the same ranks; None where the round's images were
    given, so that there was nothing to select. `same`: how many images are in both."""

    round: int
    picks: int
    same: int
    matches: bool | None


@dataclass(frozen=True)
class Replayed:
    """What a replay found; `notes` are sentences on what differs from the run's time."""

    dataset: str
    rounds: tuple[Repeated, ...]
    notes: tuple[str, ...]

    @property
    def matches(self) -> bool:
        """Whether every round that could be repeated was."""
        return all(r.matches is not False for r in self.rounds)

    def as_dict(self) -> dict[str, Any]:
        return {"matches": self.matches} | asdict(self)

    def sentences(self) -> list[str]:
        """The outcome for people, round by round."""
        lines = [_sentence(r) for r in self.rounds]
        if all(r.matches is None for r in self.rounds):
            return [*lines, *self.notes, "Nothing had to be selected; every image is there."]
        verdict = "The selection matches." if self.matches else "The selection does not match."
        return [*lines, *self.notes, verdict]


def _sentence(r: Repeated) -> str:
    if r.matches is None:
        return f"Round {r.round}: its {r.picks} images were given, not selected."
    if r.matches:
        return f"Round {r.round}: the same {r.picks} images, in the same order."
    if r.same == r.picks:
        return f"Round {r.round}: the same {r.picks} images, in another order."
    return f"Round {r.round}: {r.same} of {r.picks} images are the same."


def replay(
    store: Store,
    user_id: int,
    receipt: Receipt,
    show: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Replayed:
    """Select again as the receipt says, training in between where later rounds depend on it.

    Every round starts from what the receipt says of the rounds before, so that one difference
    does not hide what follows. Nothing is recorded, and the last round is not trained. Raises
    InputError where the dataset can't be found or does not hold the picked images.
    """
    dataset, samples, notes = _data(store, user_id, receipt)
    ids = _ids(receipt, samples)
    config, elsewhere = _here(receipt.config)
    recorder = _Comparing(ids, samples, bool(config.subset), show)
    if len(recorder.compared) == config.rounds:
        return Replayed(dataset.name, tuple(recorder.compared), notes)
    with tempfile.TemporaryDirectory(prefix="vecaf-replay-") as folder, suppress(_DoneError):
        run_rounds(config, samples, recorder, Path(folder), store.settings)
    here = with_device(config, store.settings)
    notes = (*notes, *elsewhere, *_conditions(receipt, here))
    return Replayed(dataset.name, tuple(recorder.compared), notes)


class _DoneError(VecafError):
    """The last selection has been repeated: its training is of no interest."""


class _Comparing(MemoryRecorder):
    """Takes each round's picks, compares them with `told`, and goes on with those.

    Compared by content: where an image is there twice, either of the two will do.
    """

    def __init__(
        self,
        told: tuple[NDArray[np.int64], ...],
        samples: Samples,
        given: bool,
        on_stage: Callable[[str, int, int], None],
    ) -> None:
        """`told`: the receipt's picks by round, as sample ids. `given`: the first round's were."""
        super().__init__(on_stage=on_stage)
        self.told = told
        self.key_of = dict(zip(samples.ids.tolist(), samples.keys, strict=True))
        size = len(told[0])
        self.compared = [Repeated(1, size, size, None)] if given else []

    def picks(self, round: int) -> Picks | None:
        return Picks(self.told[round - 1], {}) if round <= len(self.compared) else None

    def record_picks(self, round: int, picks: Picks) -> None:
        told, found = (
            [self.key_of[sample_id] for sample_id in ids.tolist()]
            for ids in (self.told[round - 1], picks.sample_ids)
        )
        same = (Counter(told) & Counter(found)).total()
        self.compared.append(Repeated(round, len(told), same, told == found))
        if round == len(self.told):
            raise _DoneError


def _data(store: Store, user_id: int, receipt: Receipt) -> tuple[Dataset, Samples, tuple[str, ...]]:
    """The receipt's dataset, its samples as when the run began where they can be had, and what
    there is to say about them."""
    notes: list[str] = []
    query = sa.select(Dataset).where(readable(Dataset, user_id)).order_by(Dataset.id)
    with store.read() as session:
        datasets = session.scalars(query).all()
        same = [d for d in datasets if d.content_hash == receipt.content_hash]
        named = [d for d in datasets if d.name == receipt.dataset]
        found = next((d for d in same if d in named), None) or next(iter(same), None)
        if found is None and not named:
            raise InputError(
                f"There is no dataset with the receipt's images, and none called "
                f"'{receipt.dataset}'. Import it first: python -m vecaf import"
            )
        if found is None:
            found = named[0]
            notes.append(
                f"The dataset '{found.name}' holds other images than when the run began, so the "
                "picks may differ."
            )
        samples = load_samples(session, found, store.settings.images)
        run = session.get(Run, receipt.run)
        own = run is not None and run.dataset_id == found.id
    if receipt.data_hash and data_hash(samples) != receipt.data_hash:
        begun = _begun(store.settings.runs / str(receipt.run), samples) if own else None
        if begun is not None and data_hash(begun) == receipt.data_hash:
            samples = begun
            notes.append(
                "Labels, captions or exclusions were edited since; the replay went by those that "
                "the run began with."
            )
        elif not notes:
            notes.append(
                "Labels, captions, splits or exclusions are not those that the run began with, so "
                "the picks may differ."
            )
    return found, samples, tuple(notes)


def _begun(folder: Path, samples: Samples) -> Samples | None:
    if not (folder / SNAPSHOT).exists():
        return None
    begun = with_snapshot(samples, folder)
    return begun if len(begun.labels) == len(samples) else None


def _ids(receipt: Receipt, samples: Samples) -> tuple[NDArray[np.int64], ...]:
    """The receipt's picks as sample ids. The same image may be there several times, with a label
    and a caption each: the copy that the receipt names is taken, else the first that is left."""
    rows, taken = copies_in(samples), set[int]()

    def take(key: str, copy: int) -> int:
        """The row, −1 where none is left."""
        there = rows.get(key, [])
        left = [row for row in [*there[copy : copy + 1], *there] if row not in taken]
        taken.update(left[:1])
        return left[0] if left else -1

    found, missing = [], 0
    for number, keys in enumerate(receipt.picks):
        copies = receipt.copies[number] if receipt.copies else (0,) * len(keys)
        places = [take(key, copy) for key, copy in zip(keys, copies, strict=True)]
        missing += places.count(-1)
        found.append(samples.ids[[place for place in places if place >= 0]])
    if missing:
        total = sum(map(len, receipt.picks))
        raise InputError(
            f"{missing} of the receipt's {total} picked images are not in the dataset's pool, so "
            "the selection can't be repeated. Import the dataset that the run was made on."
        )
    return tuple(found)


def _here(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """The configuration with a device that this machine has, and a sentence where that is another
    than the run's."""
    try:
        choose_device(config.device)
    except UnavailableError:
        note = f"The run was on {config.device}, which this machine does not have."
        return replace(config, device="auto"), [note]
    return config, []


def _conditions(receipt: Receipt, settings: Settings) -> list[str]:
    if not receipt.versions:
        return ["The receipt does not say which versions the picks were made with."]
    differing = differences(receipt.versions[-1], conditions(settings))
    return [f"What the picks were made with differs: {'; '.join(differing)}."] if differing else []
