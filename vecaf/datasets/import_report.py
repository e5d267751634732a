"""The report of an import: counts, warnings and refused files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vecaf.wording import SPLITS, plural

MAX_LISTED = 1000  # refused files in a report; further ones are only counted


class Refused(Exception):  # noqa: N818 (not an error: the import continues)
    """A file can't be imported; the message is the reason, such as "it is truncated"."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not imported, and the reason.

    `thumb` is the sha256 of its thumbnail; None if no part of the file can be decoded.
    """

    file: str
    reason: str
    thumb: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ImportReport:
    """The result of an import.

    Attributes
    ----------
    splits
        The number of images in each split.
    classes
        The number of images of each class in each split.
    duplicates
        The number of images that are exact copies of earlier ones. They are imported too.
    passed_over
        The number of ignored files of operating systems, such as Thumbs.db.
    refused
        At most MAX_LISTED of the `refused_count` files that were not imported.
    seconds
        The duration of the import.
    """

    dataset_id: int
    name: str
    images: int
    splits: dict[str, int]
    classes: dict[str, dict[str, int]]
    unlabeled: int = 0
    captions: int = 0
    duplicates: int = 0
    passed_over: int = 0
    refused_count: int = 0
    refused: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain types for JSON."""
        return asdict(self) | {
            "refused": [asdict(one) for one in self.refused],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImportReport:
        """Build a report from the result of `as_dict`."""
        refused = tuple(Refusal(**one) for one in values["refused"])
        return cls(**{**values, "refused": refused, "warnings": tuple(values["warnings"])})

    def sentences(self) -> list[str]:
        """Return the report as sentences, without the list of refused files."""
        splits = ", ".join(
            f"{count:,} {SPLITS[split]}" for split, count in self.splits.items() if count
        )
        classes = plural(len(self.classes), "class", "classes") if self.classes else "no labels"
        lines = [
            f"Imported {plural(self.images, 'image')} with {classes} as '{self.name}' "
            f"in {self.seconds:.1f} s: {splits}."
        ]
        if self.unlabeled and self.classes:
            lines.append(f"{plural(self.unlabeled, 'image has', 'images have')} no label.")
        if self.captions:
            lines.append(f"{plural(self.captions, 'image has', 'images have')} a caption.")
        if self.duplicates:
            lines.append(f"{plural(self.duplicates, 'exact duplicate')} found and kept.")
        if self.passed_over:
            lines.append(
                f"{plural(self.passed_over, 'operating system file')} ignored (such as __MACOSX or "
                "Thumbs.db)."
            )
        lines += self.warnings
        if self.refused_count:
            lines.append(f"{plural(self.refused_count, 'entry was', 'entries were')} skipped:")
        return lines

    def as_text(self, listed: int = 20) -> str:
        """Return `sentences` and the first `listed` refused files, one per line."""
        lines = self.sentences()
        lines += [f"  {one.file}: {one.reason}" for one in self.refused[:listed]]
        hidden = self.refused_count - min(listed, len(self.refused))
        if hidden > 0:
            lines.append(f"  … and {hidden:,} more.")
        return "\n".join(lines)
