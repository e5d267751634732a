"""The receipt of a run's selection: selected images, dataset, settings and versions."""

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

FORMAT = 3
READABLE = (1, 2, 3)  # 1 had no data_hash and one mapping of versions; 1 and 2 said `picks`
MAX_BYTES = 64 * 1024**2  # more than a million selected images need
MAX_TEXT = 1000
EARLIER = {
    "train_on_captions": "yes", "augmentation": "full", "layer_decay": 0.75, "head_init": "text",
}  # fmt: skip
"""Settings of receipts from before the settings existed."""
ADVICE = "Pass an unmodified receipt.json of an export, or export the run again."
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Receipt:
    """Everything that is needed to repeat a selection.

    Attributes
    ----------
    run, name
    config
        All settings, including the seed.
    dataset
        The dataset's name.
    content_hash
        Hash of the images.
    data_hash
        Hash of the labels, captions, splits and exclusions when the run started. Empty in receipts
        of format 1.
    versions
        The environment of each attempt at the run, in order: packages, device, precision.
    selected
        SHA-256 of the selected images, for each round, in rank order.
    copies
        For each selected image, its index among the images with the same content; see
        `rows_by_content`. Empty in old receipts.
    """

    run: int
    name: str
    config: RunConfig
    dataset: str
    content_hash: str
    data_hash: str
    versions: tuple[dict[str, str], ...]
    selected: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[int, ...], ...] = ()

    def as_dict(self, files: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Convert to JSON data. `files` lists name, bytes and SHA-256 of the exported files."""
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
            "selections": [
                {"round": number, "sha256": list(keys)}
                | ({"copies": list(self.copies[number - 1])} if self.copies else {})
                for number, keys in enumerate(self.selected, start=1)
            ],
            "files": list(files),
        }


def data_hash(samples: Samples) -> str:
    """Hash all inputs of a selection except the pixels.

    These are content hashes, splits, label names, captions and exclusions. Ids and paths are not
    included, so importing the dataset elsewhere gives the same hash.

    Returns
    -------
    str
        A SHA-256 in hexadecimal digits.
    """
    names = [*samples.classes, None]  # label −1 reads the last entry
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


def rows_by_content(samples: Samples) -> dict[str, list[int]]:
    """Group the labeled rows of the pool by image content.

    Within a group, rows are in order of sample id. Ids follow the sorted file names, so importing
    the dataset again gives the same order.

    Returns
    -------
    dict
        SHA-256 of the image to rows.
    """
    rows: dict[str, list[int]] = {}
    labeled = samples.labels >= 0
    for row in samples.pool[labeled[samples.pool]].tolist():
        rows.setdefault(samples.keys[row], []).append(row)
    return rows


def read_receipt(path: Path) -> Receipt:
    """Read and validate a receipt, which may come from an untrusted source.

    Raises
    ------
    InputError
        If the file can't be read or is not a valid receipt.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is too large for a receipt. {ADVICE}")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. {ADVICE}") from None
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror}). Check its permissions."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a receipt: it is not valid JSON. {ADVICE}") from error
    if not isinstance(value, dict) or value.get("format") not in READABLE:
        raise InputError(
            f"{path} is not a receipt that this version can read. Pass the receipt.json of an "
            "export, or update VeCAF Studio if the receipt is newer."
        )
    return _checked(value)


def _checked(value: Mapping[str, Any]) -> Receipt:
    dataset = _mapping(value, "dataset")
    given = dict(_mapping(value, "config"))
    for name, value_before in EARLIER.items():
        given.setdefault(name, value_before)
    config = replace(RunConfig.from_dict(given), dataset=_text(dataset, "name"))
    versions = value.get("versions", [])
    listed = [versions] if isinstance(versions, dict) else versions
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise InputError(f"The receipt's 'versions' are not valid. {ADVICE}")
    selections = value.get("selections", value.get("picks"))
    selected = _selected(selections, config.rounds)
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
        selected=selected,
        copies=_copies(selections or [], selected),
    )


def _selected(value: object, rounds: int) -> tuple[tuple[str, ...], ...]:
    wrong = InputError(f"The receipt's 'selections' are not valid. {ADVICE}")
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
    value: Sequence[Mapping[str, Any]], selected: tuple[tuple[str, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    if all("copies" not in entry for entry in value):
        return ()  # older receipts have no copies
    found = []
    for entry, keys in zip(value, selected, strict=True):
        copies = entry.get("copies")
        if not isinstance(copies, list) or len(copies) != len(keys):
            raise InputError(f"The receipt's 'copies' are not valid. {ADVICE}")
        found.append(tuple(_whole({"copies": copy}, "copies") for copy in copies))
    return tuple(found)


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise InputError(f"The receipt has no '{name}'. {ADVICE}")
    return found


def _text(value: Mapping[str, Any], name: str, default: str | None = None) -> str:
    found = value.get(name, default)
    if not isinstance(found, str) or len(found) > MAX_TEXT:
        raise InputError(f"The receipt's '{name}' is not text, or it is too long. {ADVICE}")
    return found


def _whole(value: Mapping[str, Any], name: str) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 2**63:
        raise InputError(f"The receipt's '{name}' is not a whole number. {ADVICE}")
    return found


def version_differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Describe how two environments differ, such as 'torch 2.12.0, here 2.13.0'.

    Names that only `other` has are ignored.
    """
    return [
        f"{name} {one[name]}, here {other.get(name, 'missing')}"
        for name in sorted(one)
        if one[name] != other.get(name)
    ]
