"""Import a folder or file as a dataset: check and stage all files, then commit once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from vecaf.datasets.archive import Container, Source
from vecaf.datasets.checked_images import (
    Accepted,
    ImportProgress,
    RefusedThumbnails,
    add_thumbnails,
    stage_images,
)
from vecaf.datasets.decoder_pool import DecoderPool
from vecaf.datasets.folder_layout import Placement
from vecaf.datasets.formats import Contents, ImportOptions, format_of
from vecaf.datasets.import_report import MAX_LISTED, ImportReport, Refusal
from vecaf.datasets.import_warnings import import_warnings
from vecaf.datasets.names import clean, dataset_name
from vecaf.datasets.opening import open_source
from vecaf.datasets.remote import is_remote, open_remote, shown_url
from vecaf.datasets.splits import complete_splits
from vecaf.datasets.staging import Staging
from vecaf.errors import InputError
from vecaf.files import convert_disk_full_errors
from vecaf.settings import Limits, Settings
from vecaf.store import TEST, TRAIN, VAL, Dataset, Import, Store
from vecaf.store.datasets import add_dataset, refused_thumbs, used_hashes
from vecaf.store.imports import check_name_free

AUTOMATIC = ImportOptions()


def import_dataset(
    store: Store,
    source: str | Path,
    name: str,
    *,
    user_id: int | None = None,
    import_id: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    seed: int = 0,
    options: ImportOptions = AUTOMATIC,
) -> ImportReport:
    """Import a ZIP archive, a folder or another file as a dataset.

    A bad file does not fail the import; the report lists it. After an error, nothing is imported.

    Parameters
    ----------
    source
        The archive, folder or file, in one of the formats of `vecaf.datasets.formats`. A URL such
        as "s3://bucket/folder" names a remote one.
    user_id
        The owner of the dataset (default: the local owner).
    import_id
        The id of the queued import that this call executes.
    progress
        Called as `progress(stage, done, total)` a few times per second.
    should_stop
        Called a few times per second; the import stops if it returns True.
    seed
        Determines missing splits; see `complete_splits`.
    options
        The format of the source and its columns.

    Raises
    ------
    InputError
        The name is invalid or taken, or the source is not a ZIP archive, is empty, exceeds a limit
        or contains no usable image.
    CanceledError
        `should_stop` returned True.
    UnavailableError
        The disk is full.
    """
    watch = ImportProgress(progress, should_stop)
    owner = store.owner() if user_id is None else user_id
    name = check_name(store, owner, name, import_id)
    watch.show("Reading the list of files", 0, 0)
    limits = store.settings.limits
    with scratch_folder(store.settings) as scratch, _opened(source, limits, scratch) as opened:
        contents = Contents(opened, options, limits, scratch)
        found = format_of(contents).read(contents)
        origin = shown_url(str(source)) if is_remote(source) else Path(source).name
        return register(
            store, found.source, found.placement, name, owner, clean(origin),
            import_id=import_id, watch=watch, seed=seed,
        )  # fmt: skip


@contextmanager
def _opened(source: str | Path, limits: Limits, scratch: Path) -> Iterator[Container]:
    remote = is_remote(source)
    found = open_remote(str(source), limits, scratch) if remote else open_source(
        Path(source), limits
    )  # fmt: skip
    with closing(found):
        yield found


@contextmanager
def scratch_folder(settings: Settings) -> Iterator[Path]:
    """Create a folder for temporary files, which is deleted at the end of the block."""
    with convert_disk_full_errors():
        settings.uploads.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=settings.uploads) as folder:
            yield Path(folder)


def check_name(store: Store, owner: int, name: str, import_id: int | None) -> str:
    """Return the cleaned name. Raises InputError if it is invalid or taken."""
    name = dataset_name(name)
    with store.read() as session:
        check_name_free(session, owner, name, import_id)
    return name


def register(
    store: Store,
    source: Source,
    placement: Placement,
    name: str,
    owner: int,
    origin: str,
    *,
    import_id: int | None,
    watch: ImportProgress,
    seed: int = 0,
    attribution: str | None = None,
) -> ImportReport:
    """Check and stage the images of `source`, then publish files and rows in one step.

    `origin` describes the source to users. Raises the errors of `import_dataset`.
    """
    limits = store.settings.limits
    with DecoderPool(limits) as decoders, Staging(store.settings) as staging:
        thumbnails = RefusedThumbnails(staging, decoders)
        accepted, refused = stage_images(
            source, placement.places, staging, limits, decoders, watch, thumbnails
        )
        unplaced = add_thumbnails(placement.refused, source, thumbnails, limits)
        refused = [*source.refused, *unplaced, *refused]
        if not accepted:
            raise InputError(_nothing_usable(origin, refused))
        accepted.sort(key=lambda one: one.place.name)  # sample ids follow this order
        classes = _class_names(accepted)
        index = {label: i for i, label in enumerate(classes)}
        labels = [-1 if (label := one.place.label) is None else index[label] for one in accepted]
        keys = [one.sha256 for one in accepted]
        splits = complete_splits(keys, labels, [one.place.split for one in accepted], seed)
        report = ImportReport(
            dataset_id=0,
            name=name,
            images=len(accepted),
            splits={split: splits.count(split) for split in (TRAIN, VAL, TEST)},
            classes=_class_counts(classes, labels, splits),
            unlabeled=labels.count(-1),
            captions=sum(one.place.caption is not None for one in accepted),
            duplicates=len(keys) - len(set(keys)),
            passed_over=source.passed_over,
            refused_count=len(refused),
            refused=tuple(refused[:MAX_LISTED]),
            warnings=(*placement.warnings, *import_warnings(classes, labels, splits, keys)),
        )
        dataset = Dataset(
            owner_id=owner,
            name=name,
            classes=classes,
            content_hash=sha256("".join(sorted(keys)).encode()).hexdigest(),
            source=origin,
            attribution=attribution,
            report={},
        )
        rows = [
            _row(one, split, label)
            for one, split, label in zip(accepted, splits, labels, strict=True)
        ]
        watch.show("Saving", len(rows), len(rows))
        watch.check()
        with staging.publish(lambda keys: _named(store, keys)):
            with store.write() as session:
                check_name_free(session, owner, name, import_id)  # it may have been taken meanwhile
                add_dataset(session, dataset, rows)
                report = replace(report, dataset_id=dataset.id, seconds=round(watch.seconds, 3))
                dataset.report = report.as_dict()
                if import_id is not None:  # so that another attempt finds the finished dataset
                    session.get_one(Import, import_id).dataset_id = dataset.id
            return report


def _named(store: Store, keys: list[str]) -> set[str]:
    with store.read() as session:
        return used_hashes(session, keys) | refused_thumbs(session)


def _row(one: Accepted, split: str, label: int) -> dict[str, Any]:
    """Return the columns of a Sample."""
    return {
        "file_name": one.place.name,
        "sha256": one.sha256,
        "extension": one.extension,
        "width": one.width,
        "height": one.height,
        "split": split,
        "label": None if label < 0 else label,
        "caption": one.place.caption,
    }


def _class_names(accepted: list[Accepted]) -> list[str]:
    """Return the class names, sorted; numerically if all are numbers."""
    names = {one.place.label for one in accepted if one.place.label is not None}
    if all(name.isascii() and name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _class_counts(
    classes: list[str], labels: list[int], splits: list[str]
) -> dict[str, dict[str, int]]:
    counts = {name: dict.fromkeys((TRAIN, VAL, TEST), 0) for name in classes}
    for label, split in zip(labels, splits, strict=True):
        if label >= 0:
            counts[classes[label]][split] += 1
    return counts


def _nothing_usable(origin: str, refused: list[Refusal]) -> str:
    """Return a sentence; if several files were refused, the lines below it list them."""
    if not refused:
        return (
            f"{origin} contains no images. Add JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF files, or "
            "HEIC files if the server has pillow-heif."
        )
    first = refused[0]
    sentence = f"{origin} contains no usable image. {first.file} can't be used: {first.reason}."
    if len(refused) == 1:
        return sentence
    more = len(refused) - MAX_LISTED
    return "\n".join(
        [
            f"{sentence} {len(refused) - 1:,} more files can't be used either.",
            *(f"{one.file}: {one.reason}" for one in refused[:MAX_LISTED]),
            *([f"… and {more:,} more"] if more > 0 else []),
        ]
    )
