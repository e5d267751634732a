"""Derive the split, class and caption of every image from the folders of an upload.

- If the top folders are split names (train, val, test and variants), the layout is
  `<split>/<class>/…`, otherwise `<class>/…`. Images next to these folders are unlabeled.
- The class is the first folder below the split. Deeper folders are part of the file name.
- Folders that contain everything are ignored. If only one folder with images remains, it is the
  class.
- A metadata file describes the images below its own folder. If it has a label column, folders are
  not classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import takewhile

from vecaf.datasets.import_report import Refusal
from vecaf.datasets.metadata import CSV, JSONL, SPLITS, Metadata, MetadataRow
from vecaf.datasets.names import MAX_NAME, looks_like_image
from vecaf.store import TRAIN
from vecaf.wording import plural

UNLABELED = "_unlabeled"  # FiftyOne's folder of images without a label
_TEXT_FILES = {"readme", "license", "licence", "copying", "notice"}  # have no extension either


@dataclass(frozen=True, slots=True)
class Place:
    """An image's name, split, class and caption in the dataset.

    `name` is its path below the folders that contain everything.
    """

    name: str
    split: str | None = None
    label: str | None = None
    caption: str | None = None


@dataclass
class Placement:
    """The place of every image, by its path in the upload, and the files without a place."""

    places: dict[str, Place] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_metadata(path: str) -> bool:
    """Return whether the path is that of a metadata file."""
    return path[path.rfind("/") + 1 :].lower() in (CSV, JSONL)


def place_images(paths: Sequence[str], metadata: Mapping[str, Metadata]) -> Placement:
    """Assign a place to each of `paths`: all files except the metadata files.

    Parameters
    ----------
    metadata
        The metadata files, by path.
    """
    result = Placement()
    images = _images(paths)
    wrapping = _wrapping(images, metadata)
    names = {path: path.removeprefix(wrapping) for path in paths}
    in_splits = _has_splits(names[path] for path in images)
    parts = {path: _parts(name, in_splits) for path, name in names.items()}
    rows = _rows(names, images, metadata, result)
    no_class = _without_classes(parts, images, metadata)
    if not in_splits and not any(row.split for row in rows.values()):
        result.warnings += _ignored_splits(names[path] for path in images - no_class)
    taken: set[str] = set()
    for path, name in names.items():
        split, folder = parts[path]
        row = rows.get(path, MetadataRow())
        label = row.label or (None if path in no_class or folder == UNLABELED else folder)
        if in_splits and not (split or row.split) and path in images:
            reason = "it is outside the train, val and test folders"
        elif name in taken:
            reason = "another file has the same path in the dataset"
        elif label and len(label) > MAX_NAME:
            reason = f"the name of its class is longer than {MAX_NAME} characters"
        else:
            taken.add(name)
            result.places[path] = Place(name, row.split or split, label, row.caption)
            continue
        result.refused.append(Refusal(path, reason))
    return result


def _images(paths: Iterable[str]) -> set[str]:
    """Return the paths that determine the layout: those with the extension of an image.

    If there are none, return those without an extension, as in some public datasets.
    """
    found = {path for path in paths if looks_like_image(path)}
    return found or {path for path in paths if _is_bare(path[path.rfind("/") + 1 :])}


def _is_bare(name: str) -> bool:
    return "." not in name and name.lower() not in _TEXT_FILES


def _wrapping(images: Iterable[str], metadata: Iterable[str]) -> str:
    """Return the folders that contain all images and metadata files, as 'a/b/'.

    Splits and classes are not among them.
    """
    metadata = list(metadata)
    folders = {tuple(path.split("/")[:-1]) for path in (*images, *metadata)}
    if not folders:
        return ""
    shared = next(iter(folders))
    for other in folders:
        same = takewhile(lambda pair: pair[0] == pair[1], zip(shared, other, strict=False))
        shared = tuple(pair[0] for pair in same)
    splits = [i for i, folder in enumerate(shared) if folder.casefold() in SPLITS]
    if splits:
        shared = shared[: splits[0]]
    elif len(folders) == 1 and not metadata:
        shared = shared[:-1]  # one folder of images is a class
    return "".join(f"{folder}/" for folder in shared)


def _has_splits(names: Iterable[str]) -> bool:
    """Return whether the top folders are splits. A class may be called 'train' (the vehicle)."""
    tops = {name.split("/")[0].casefold() for name in names if "/" in name}
    found = {SPLITS[top] for top in tops if top in SPLITS}
    return bool(tops) and (tops <= SPLITS.keys() or (TRAIN in found and len(found) > 1))


def _ignored_splits(names: Iterable[str]) -> Iterator[str]:
    """Yield a warning if the folders of the classes contain splits, as in `<class>/train/…`."""
    inner = {folders[1].casefold() for name in names if len(folders := name.split("/")[:-1]) > 1}
    found = sorted(inner & SPLITS.keys())
    if TRAIN in map(SPLITS.get, found) and len(found) > 1:
        yield (
            f"The folders {' and '.join(found)} are inside the class folders, so they are not "
            "used as splits. To use them as splits, put the class folders inside them."
        )


def _parts(name: str, in_splits: bool) -> tuple[str | None, str | None]:
    """Return (split, first folder below it) of a name; None for a missing part."""
    folders = name.split("/")[:-1]
    split = None
    if in_splits and folders and folders[0].casefold() in SPLITS:
        split = SPLITS[folders.pop(0).casefold()]
    return split, folders[0] if folders else None


def _rows(
    names: Iterable[str], images: Set[str], metadata: Mapping[str, Metadata], result: Placement
) -> dict[str, MetadataRow]:
    """Return the rows of the metadata by full path; refuse rows without a file."""
    known = set(names)
    rows: dict[str, MetadataRow] = {}
    for file, content in metadata.items():
        result.refused += content.refused
        result.warnings += (
            _unlabeled(file, spelling, count) for spelling, count in content.missing.items()
        )
        for name, row in content.rows.items():
            path = file[: file.rfind("/") + 1] + name
            if path not in known:
                reason = f"it is listed in {file}, but the image file is missing or unreadable"
                result.refused.append(Refusal(path, reason))
            elif path in rows:
                reason = f"it is listed again; only the first row is used ({file})"
                result.refused.append(Refusal(path, reason))
            else:
                rows[path] = row
    missing = sum(path not in rows for path in images)
    if metadata and missing:
        verb = "is" if missing == 1 else "are"
        result.warnings.append(f"{missing:,} of the images {verb} not listed in the metadata.")
    return rows


def _unlabeled(file: str, spelling: str, count: int) -> str:
    return (
        f"{plural(count, 'row')} of {file} {'has' if count == 1 else 'have'} no label: the cell "
        f"says {spelling}. If {spelling} is a class name, write it with a leading apostrophe "
        f"(“'{spelling}”) and import again."
    )


def _without_classes(
    parts: Mapping[str, tuple[str | None, str | None]],
    images: Set[str],
    metadata: Mapping[str, Metadata],
) -> set[str]:
    """Return the paths whose folder is not a class.

    Either the metadata has labels, or all of its images are in one folder, as in the layout
    `metadata.csv` (file_name, text) next to a folder `images`.
    """
    found: set[str] = set()
    for file, content in metadata.items():
        folder = file[: file.rfind("/") + 1]
        below = [path for path in parts if path.startswith(folder)]
        if content.labeled or len({parts[path][1] for path in below if path in images}) < 2:
            found.update(below)
    return found
