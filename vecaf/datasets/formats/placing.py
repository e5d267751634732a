"""Turn the records of an annotation file into the places of images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from vecaf.datasets.archive import Member
from vecaf.datasets.folder_layout import Place, Placement
from vecaf.datasets.import_report import Refusal
from vecaf.datasets.metadata import SPLITS, MetadataRow
from vecaf.datasets.names import looks_like_image
from vecaf.errors import InputError
from vecaf.wording import plural

_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Record:
    """An image in an annotation file.

    `where` names the record for the report, `image` is the file as the annotations name it, and
    `folder` the folder of the annotations, as "a/b/".
    """

    where: str
    image: str
    row: MetadataRow
    folder: str = ""


def split_of(path: str) -> str | None:
    """Return the split that a path names: train/x.json, instances_train2017.json …

    The last name of a split in the path counts.
    """
    words = _WORD.findall(path.rsplit(".", 1)[0].lower())
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS), None)


def folder_of(name: str) -> str:
    """Return the folder of a member as "a/b/", or ""."""
    return name[: name.rfind("/") + 1]


class Files:
    """The image files of a source, found by the names that annotations use.

    Annotations often have absolute paths of another machine, or URLs. Then the file's own name
    identifies it, if only one file has that name. No name leads out of the source.
    """

    def __init__(self, members: Iterable[Member]) -> None:
        self.images = [one.name for one in members if looks_like_image(one.name)]
        self._known = set(self.images)
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.images:
            self._by_name[name.rsplit("/", 1)[-1]].append(name)

    def find(self, image: str, folder: str = "") -> str | None:
        """Return the member that `image` names, from an annotation file in `folder`."""
        path = _path(image)
        for candidate in (
            f"{folder}{path}",
            path,
            f"{folder}images/{path}",
            f"{folder}data/{path}",
        ):
            if candidate in self._known:
                return candidate
        name = path.rsplit("/", 1)[-1]
        # Label Studio puts eight hexadecimal digits before the names of uploaded files.
        for wanted in (name, re.sub(r"^[0-9a-f]{8}-", "", name)):
            found = self._by_name.get(wanted, [])
            if len(found) == 1:
                return found[0]
        return None


def _path(image: str) -> str:
    """Return the path in a file name or URL, with "/" between its parts and no leading "/"."""
    if "://" in image or image.startswith("/data/local-files/"):
        parts = urlsplit(image)
        image = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    path = image.replace("\\", "/").lstrip("/")
    while path.startswith("./"):
        path = path[2:]
    return path


def place_records(records: Sequence[Record], files: Files, what: str) -> Placement:
    """Return the place of every image that a record names.

    Records without a file and repeated images are refused. Images that no record names are left
    out, with a warning. Raises InputError if no record has a file. `what` names the format.
    """
    result = Placement()
    wrapping = _shared_folder(files.images)
    named: dict[str, str] = {}
    for record in records:
        name = files.find(record.image, record.folder)
        if name is None:
            reason = f"it is listed in {record.where}, but the image file is missing"
            result.refused.append(Refusal(record.image, reason))
        elif name in named:
            reason = f"it is listed again; only the first entry is used ({record.where})"
            result.refused.append(Refusal(name, reason))
        else:
            named[name] = record.where
            row = record.row
            result.places[name] = Place(
                name.removeprefix(wrapping), row.split, row.label, row.caption
            )
    if not result.places:
        raise InputError(
            f"This is {what}, but none of the {plural(len(records), 'image')} that it lists was "
            f"found{_example(records)}. Put the images beside the annotations."
        )
    left = len(files.images) - len(result.places)
    if left:
        result.warnings.append(
            f"{plural(left, 'image')} that the annotations don't list {_was(left)} left out."
        )
    return result


def _example(records: Sequence[Record]) -> str:
    return f" (for example '{records[0].image[:100]}')" if records else ""


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _shared_folder(names: Sequence[str]) -> str:
    """Return the folders that contain all files, as 'a/b/'."""
    if not names:
        return ""
    first, last = (name.split("/")[:-1] for name in (min(names), max(names)))
    shared = ""
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        shared += f"{one}/"
    return shared


def text_of(values: Mapping[str, object], *keys: str) -> str:
    """Return the first of `keys` that is text; "" if there is none."""
    for key in keys:
        value = values.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def only(labels: object) -> object:
    """Return the label in a list of one; None for an empty list, and anything else unchanged."""
    if isinstance(labels, list) and len(labels) < 2:
        return labels[0] if labels else None
    return labels
