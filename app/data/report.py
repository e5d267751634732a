"""What the page of a dataset shows of its import report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from vecaf.datasets.import_report import ImportReport, Refusal
from vecaf.store.page_queries import DatasetCard

from ..shell.uploads import OURS

_SUBJECT = re.compile(r"it (?:is (?:an? )?|has )?")
"""The subject of a reason. The heading of a group omits it, because it covers many files."""
_DETAILS = re.compile(r"[\d,.×]+|'[^']*'")
"""Numbers and names in a reason. Reasons that differ only in these are of one kind."""


@dataclass(frozen=True)
class RefusalGroup:
    """Files that were refused for one kind of reason.

    `reason` is the reason of the first file without its subject. `same` is whether all files have
    the same reason.
    """

    reason: str
    same: bool
    files: list[Refusal]


@dataclass(frozen=True)
class ReportView:
    """Sentences, refused files by reason, the number of refused files that are not listed, and the
    source, which is "" for an upload."""

    sentences: list[str]
    groups: list[RefusalGroup]
    unlisted: int
    source: str


def report_view(card: DatasetCard) -> ReportView:
    """Return the import report of a dataset as its page shows it."""
    report = ImportReport.from_dict(card.report)
    return ReportView(
        report.sentences(),
        refusal_groups(report.refused),
        max(0, report.refused_count - len(report.refused)),
        "" if OURS.fullmatch(card.source) else card.source,  # an upload has a random file name
    )


def refusal_groups(files: Sequence[Refusal]) -> list[RefusalGroup]:
    """Group refused files by the kind of their reason, the most common kind first."""

    def kind(file: Refusal) -> str:
        return _DETAILS.sub("", file.reason)

    groups = [list(group) for _, group in groupby(sorted(files, key=kind), key=kind)]
    return [
        RefusalGroup(
            _heading(group[0].reason),
            len({file.reason for file in group}) == 1,
            group,
        )
        for group in sorted(groups, key=lambda group: -len(group))
    ]


def _heading(reason: str) -> str:
    """Return 'PDF file, not a JPEG …' for 'it is a PDF file, not a JPEG …'."""
    subject = _SUBJECT.match(reason)
    text = reason[subject.end() :] if subject else reason
    return text[:1].upper() + text[1:]
