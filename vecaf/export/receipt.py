"""A selection's receipt: what was picked, from what, by which settings; written, read, compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError

FORMAT = 2
READABLE = (1, 2)  # format 1 had no data_hash and one mapping of versions
MAX_BYTES = 64 * 1024**2  # a million picks are less
MAX_TEXT = 1000
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Receipt:
    """What repeats a selection.

    `content_hash` is over the images, `data_hash` over what they were labelled, captioned and
    split as when the run began ("" where a receipt does not say). `picks`: sha256 of the images,
    by round from 1, in rank order. `copies`: which of the images of that content each pick was, as
    `copies_in` counts them; no rounds where a receipt does not say. `versions`: what the attempts
    at the run ran on, in order: packages, kind of device, precision.
    """

    run: int
    name: str
    config: RunConfig
    dataset: str
    content_hash: str
    data_hash: str
    versions: tuple[dict[str, str], ...]
    picks: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[int, ...], ...] = ()

    def as_dict(self, files: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """As it is written; `files`: name, bytes and sha256 of what lies beside it."""
        return {
            "format": FORMAT,
            "run": self.run,
            "name": self.name,
            "config": self.config.as_dict(),
            "seed": self.config.seed,
            "dataset": {
                "name": self.dataset,
                "content_hash": self.content_hash,
                "data_hash": self.data_hash,
            },
            "versions": list(self.versions),
            "picks": [
                {"round": number, "sha256": list(keys)}
                | ({"copies": list(self.copies[number - 1])} if self.copies else {})
                for number, keys in enumerate(self.picks, start=1)
            ],
            "files": list(files),
        }


def data_hash(samples: Samples) -> str:
    """SHA-256 over all that a selection reads of its samples besides their pixels: their content
    hashes, splits, labels by name, captions and exclusions. Ids and places on a disk don't count,
    so a dataset that is imported again elsewhere has the same."""
    names = [*samples.classes, None]  # label −1 is the last: none
    digest = hashlib.sha256(json.dumps(samples.classes).encode())
    for row, key in enumerate(samples.keys):
        line = (
            key,
            str(samples.splits[row]),
            names[samples.labels[row]],
            samples.captions[row],
            bool(samples.excluded[row]),
        )
        digest.update(json.dumps(line).encode() + b"\n")
    return digest.hexdigest()


def copies_in(samples: Samples) -> dict[str, list[int]]:
    """The rows that a run may pick, by content, in id order: the labeled ones of the pool
    (see `RunPlan.of`). Ids follow sorted file names, so a dataset that is imported again has the
    same ids."""
    rows: dict[str, list[int]] = {}
    labeled = samples.labels >= 0
    for row in samples.pool[labeled[samples.pool]].tolist():
        rows.setdefault(samples.keys[row], []).append(row)
    return rows


def read_receipt(path: Path) -> Receipt:
    """Read a receipt that may come from anybody. Raises InputError for what it can't be."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is too large for a receipt.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; give an export's receipt.json.") from None
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a receipt: it is not valid JSON.") from error
    if not isinstance(value, dict) or value.get("format") not in READABLE:
        raise InputError(
            f"{path} is not a receipt that this program reads. Give the receipt.json of an export, "
            "or update VeCAF Studio if the receipt is newer."
        )
    return _checked(value)


def _checked(value: Mapping[str, Any]) -> Receipt:
    dataset = _mapping(value, "dataset")
    given = dict(_mapping(value, "config"))
    config = replace(RunConfig.from_dict(given), dataset=_text(dataset, "name"))
    versions = value.get("versions", [])
    listed = [versions] if isinstance(versions, dict) else versions
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise InputError("The receipt's 'versions' are not what an export writes.")
    picks = _picks(value.get("picks"), config.rounds)
    return Receipt(
        run=_whole(value, "run"),
        name=_text(value, "name", ""),
        config=config,
        dataset=config.dataset,
        content_hash=_text(dataset, "content_hash"),
        data_hash=_text(dataset, "data_hash", ""),
        versions=tuple(
            {str(k)[:MAX_TEXT]: str(v)[:MAX_TEXT] for k, v in entry.items()} for entry in listed
        ),
        picks=picks,
        copies=_copies(value["picks"], picks),
    )


def _picks(value: object, rounds: int) -> tuple[tuple[str, ...], ...]:
    wrong = InputError("The receipt's 'picks' are not what an export writes.")
    if not isinstance(value, list) or len(value) != rounds:
        raise wrong
    found = []
    for number, entry in enumerate(value, start=1):
        keys = entry.get("sha256") if isinstance(entry, dict) else None
        if not isinstance(keys, list) or not keys or entry.get("round") != number:
            raise wrong
        if not all(isinstance(key, str) and _HASH.fullmatch(key) for key in keys):
            raise wrong
        found.append(tuple(keys))
    return tuple(found)


def _copies(
    value: Sequence[Mapping[str, Any]], picks: tuple[tuple[str, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    if all("copies" not in entry for entry in value):
        return ()  # of before this was noted
    found = []
    for entry, keys in zip(value, picks, strict=True):
        copies = entry.get("copies")
        if not isinstance(copies, list) or len(copies) != len(keys):
            raise InputError("The receipt's 'copies' are not what an export writes.")
        found.append(tuple(_whole({"copies": copy}, "copies") for copy in copies))
    return tuple(found)


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise InputError(f"The receipt has no '{name}'.")
    return found


def _text(value: Mapping[str, Any], name: str, default: str | None = None) -> str:
    found = value.get(name, default)
    if not isinstance(found, str) or len(found) > MAX_TEXT:
        raise InputError(f"The receipt's '{name}' is not a short text.")
    return found


def _whole(value: Mapping[str, Any], name: str) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 2**63:
        raise InputError(f"The receipt's '{name}' is not a whole number.")
    return found


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """What differs between two sets of versions and the like, in words: 'torch 2.12.0, here
    2.13.0'. What `one` does not say does not differ."""
    return [
        f"{name} {one[name]}, here {other.get(name, 'missing')}"
        for name in sorted(one)
        if one[name] != other.get(name)
    ]
