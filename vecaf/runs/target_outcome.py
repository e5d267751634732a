"""What a run made of the images of a target domain: a file in the folder of the run."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from vecaf.files import Publishing, write_bytes

NAME = "target-domain.json"


@dataclass(frozen=True)
class Outcome:
    """What a run made of the images of a target domain.

    Attributes
    ----------
    dataset
        The target dataset, as the run's settings name it.
    images
        How many of its images were used.
    adapted
        Whether the model was adapted.
    reason
        A sentence that explains it.
    """

    dataset: str
    images: int
    adapted: bool
    reason: str


def write_outcome(folder: Path, outcome: Outcome, publishing: Publishing = nullcontext) -> None:
    """Store the outcome in the folder of a run."""
    content = json.dumps(asdict(outcome), ensure_ascii=False).encode()
    write_bytes(folder / NAME, content, publishing=publishing)


def read_outcome(folder: Path) -> Outcome | None:
    """Read the outcome from the folder of a run; None if it has none."""
    try:
        return Outcome(**json.loads((folder / NAME).read_bytes()))
    except FileNotFoundError:
        return None
