"""What an upload's folders mean: names in, a split, a class and a caption for every image out.

- `<split>/<class>/…` where the top folders are split names (train, val, test and their kin);
  `<class>/…` otherwise; images beside these folders are unlabeled.
- The class is the first folder below the split; deeper folders are part of the file name.
- Folders that everything shares are looked through. If nothing but one folder of images is left,
  that folder is the class.
- A metadata file speaks for the images below its own folder. Where it has a label column, folders
  are no classes.
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

_NOTES = {
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
}  # no images, though without an ending


@dataclass(frozen=True, slots=True)
class Place:
    """One image's place in the dataset; `name` is its path below the folders looked through."""

    name: str
    split: str | None = None
    label: str | None = None
    caption: str | None = None


@dataclass
class Placement:
    """Where every image goes (by its path in the upload), and what could not be placed."""

    places: dict[str, Place] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_metadata(path: str) -> bool:
    return path[path.rfind("/") + 1 :].lower() in (CSV, JSONL)


def place_images(paths: Sequence[str], metadata: Mapping[str, Metadata]) -> Placement:
    """Place `paths` (all files but the metadata files, which are the keys of `metadata`)."""
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
        label = row.label or (None if path in no_class else folder)
        if in_splits and not (split or row.split) and path in images:
            reason = "it lies outside the train, val and test folders"
        elif name in taken:
            reason = "another file has the same name inside the folders that were looked through"
        elif label and len(label) > MAX_NAME:
            reason = f"its class has a name longer than {MAX_NAME} characters"
        else:
            taken.add(name)
            result.places[path] = Place(name, row.split or split, label, row.caption)
            continue
        result.refused.append(Refusal(path, reason))
    return result


def _images(paths: Iterable[str]) -> set[str]:
    """The paths that tell the layout: those that look like images or, where none does, those
    without an ending, as some public datasets name their images."""
    found = {path for path in paths if looks_like_image(path)}
    return found or {path for path in paths if _is_bare(path[path.rfind("/") + 1 :])}


def _is_bare(name: str) -> bool:
    return "." not in name and name.lower() not in _NOTES


def _wrapping(images: Iterable[str], metadata: Iterable[str]) -> str:
    """The folders that all images and metadata files share, as 'a/b/', short of split or class."""
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
    """Whether the top folders are splits. A class may be called 'train': trains are things too."""
    tops = {name.split("/")[0].casefold() for name in names if "/" in name}
    found = {SPLITS[top] for top in tops if top in SPLITS}
    return bool(tops) and (tops <= SPLITS.keys() or (TRAIN in found and len(found) > 1))


def _ignored_splits(names: Iterable[str]) -> Iterator[str]:
    """A sentence where the folders inside the classes are splits, as in `<class>/train/…`."""
    inner = {folders[1].casefold() for name in names if len(folders := name.split("/")[:-1]) > 1}
    found = sorted(inner & SPLITS.keys())
    if TRAIN in map(SPLITS.get, found) and len(found) > 1:
        yield (
            f"The folders {' and '.join(found)} lie inside the classes' folders, so they are no "
            "splits; put them above the classes to make them splits."
        )


def _parts(name: str, in_splits: bool) -> tuple[str | None, str | None]:
    """(Split, first folder below it) of a name; None where there is none."""
    folders = name.split("/")[:-1]
    split = None
    if in_splits and folders and folders[0].casefold() in SPLITS:
        split = SPLITS[folders.pop(0).casefold()]
    return split, folders[0] if folders else None


def _rows(
    names: Iterable[str], images: Set[str], metadata: Mapping[str, Metadata], result: Placement
) -> dict[str, MetadataRow]:
    """The metadata's rows by full path; rows that fit no file are refused."""
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
                reason = f"{file} names it, but it is not among the files that can be read"
                result.refused.append(Refusal(path, reason))
            elif path in rows:
                result.refused.append(Refusal(path, f"{file} names it again; the first row counts"))
            else:
                rows[path] = row
    missing = sum(path not in rows for path in images)
    if metadata and missing:
        names_it = "is" if missing == 1 else "are"
        result.warnings.append(f"{missing:,} of the images {names_it} not named in the metadata.")
    return rows


def _unlabeled(file: str, spelling: str, count: int) -> str:
    return (
        f"{plural(count, 'row')} of {file} {'has' if count == 1 else 'have'} no label: the cell is "
        f"'{spelling}'. If that is the name of a class, write it with an apostrophe in front: "
        f"'{spelling}"
    )


def _without_classes(
    parts: Mapping[str, tuple[str | None, str | None]],
    images: Set[str],
    metadata: Mapping[str, Metadata],
) -> set[str]:
    """Paths whose folder is no class: the metadata has labels, or there is one folder to hold all.

    The second is the layout `metadata.csv` (file_name, text) beside a folder `images`.
    """
    found: set[str] = set()
    for file, content in metadata.items():
        folder = file[: file.rfind("/") + 1]
        below = [path for path in parts if path.startswith(folder)]
        if content.labeled or len({parts[path][1] for path in below if path in images}) < 2:
            found.update(below)
    return found
