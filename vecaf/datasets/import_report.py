"""What an import did, file by file: kept with the dataset, shown in the page and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vecaf.wording import plural

MAX_LISTED = 1000  # refused files that a report lists; the rest are counted


class Refused(Exception):  # noqa: N818 (not an error: the import goes on)
    """A file is not taken; the message is the reason, worded to follow the file's name.

    `thumb` names a small picture of it, where one was kept (see `Refusal`).
    """

    thumb: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not taken, and why.

    `thumb` is the sha256 of a small picture of it, drawn by our own decoder and kept among the
    thumbnails; None where it can't be decoded, not even in part.
    """

    file: str
    reason: str
    thumb: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ImportReport:
    """The outcome of one import.

    `splits` counts images by split, `classes` by class and split; `duplicates` counts images whose
    content occurred before (they are kept as samples); `passed_over` counts what operating systems
    left in the folder. `refused` lists at most MAX_LISTED of the `refused_count` files.
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
        """Plain types, for JSON."""
        return asdict(self) | {
            "refused": [asdict(one) for one in self.refused],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImportReport:
        """The inverse of `as_dict`."""
        refused = tuple(Refusal(**one) for one in values["refused"])
        return cls(**{**values, "refused": refused, "warnings": tuple(values["warnings"])})

    def sentences(self) -> list[str]:
        """The report for people, most important first; refused files are not among them."""
        splits = ", ".join(f"{count:,} {split}" for split, count in self.splits.items() if count)
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
            lines.append(
                f"{plural(self.duplicates, 'image repeats', 'images repeat')} the content of "
                "another; they were kept."
            )
        if self.passed_over:
            lines.append(
                f"{plural(self.passed_over, 'file')} of the operating system (such as __MACOSX "
                "or Thumbs.db) passed over."
            )
        lines += self.warnings
        if self.refused_count:
            lines.append(f"{plural(self.refused_count, 'file was', 'files were')} refused:")
        return lines

    def as_text(self, listed: int = 20) -> str:
        """`sentences` and the first `listed` refused files, one a line."""
        lines = self.sentences()
        lines += [f"  {one.file}: {one.reason}" for one in self.refused[:listed]]
        hidden = self.refused_count - min(listed, len(self.refused))
        if hidden > 0:
            lines.append(f"  … and {hidden:,} more.")
        return "\n".join(lines)
