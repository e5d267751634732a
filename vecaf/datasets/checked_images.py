"""Read, check, hash and stage all images of an import, in parallel and in order.

Memory use is bounded: only a few small batches are processed at once, and the bytes of an image are
released as soon as it is staged. A separate thread writes tiny images while the next batch is
checked, since creating their files takes as long as decoding them. Decoder processes check the
images (`vecaf.datasets.decoder_pool`).
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from threading import Event, Lock

from vecaf.datasets.archive import Member, Source
from vecaf.datasets.decoder_pool import DecoderPool
from vecaf.datasets.folder_layout import Place
from vecaf.datasets.images import CheckedImage
from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.sanitize import sniff
from vecaf.datasets.staging import ImageFolder
from vecaf.errors import CanceledError
from vecaf.settings import Limits

_BATCH = 32  # images per work item, to reduce the overhead of threads
_BATCH_BYTES = 1 << 22  # a larger work item is checked in parts
_TINY = 4096  # bytes; smaller images count as tiny
MAX_THUMBNAILS = 100  # of refused files, per import report
_INTERVAL = 0.25  # seconds between calls of progress and should_stop


@dataclass(frozen=True, slots=True)
class Accepted:
    """An image that has been checked and staged."""

    place: Place
    sha256: str
    extension: str
    width: int
    height: int


Batch = tuple[list[Accepted], list[Refusal]]


class ImportProgress:
    """Report progress and check for cancellation, at most every _INTERVAL seconds."""

    def __init__(
        self,
        progress: Callable[[str, int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self._progress, self._should_stop = progress, should_stop
        self._started = time.monotonic()
        self._shown = self._checked = -_INTERVAL
        self._stage = ""

    @property
    def seconds(self) -> float:
        """Seconds since the start of the import."""
        return time.monotonic() - self._started

    def show(self, stage: str, done: int, total: int) -> None:
        """Report progress; the start and the end of a stage are always reported."""
        now = time.monotonic()
        due = now - self._shown >= _INTERVAL or stage != self._stage or done == total
        if self._progress is not None and due:
            self._shown, self._stage = now, stage
            self._progress(stage, done, total)

    def check(self) -> None:
        """Raise CanceledError if the import is to stop."""
        now = time.monotonic()
        if self._should_stop is not None and now - self._checked >= _INTERVAL:
            self._checked = now
            if self._should_stop():
                raise CanceledError("The import was canceled. Nothing was imported.")


def stage_images(
    source: Source,
    places: Mapping[str, Place],
    staging: ImageFolder,
    limits: Limits,
    decoders: DecoderPool,
    watch: ImportProgress,
    thumbnails: RefusedThumbnails,
) -> Batch:
    """Check and stage all members that have a place; return (accepted, refused) in source order.

    Raises
    ------
    CanceledError
        The import is to stop.
    InputError
        The source as a whole exceeds a limit.
    UnavailableError
        The disk is full.
    """
    members = [member for member in source.members if member.name in places]
    place_in = {member.name: index for index, member in enumerate(members)}
    stop = Event()

    def work(batch: list[Member]) -> tuple[Batch, Future[None]]:
        accepted: list[Accepted] = []
        refused: list[Refusal] = []
        small: list[tuple[str, CheckedImage]] = []
        for part in _read_in_parts(source, batch, limits, refused):
            if stop.is_set():
                break
            results = decoders.check([content for _, content in part])
            for (member, content), result in zip(part, results, strict=True):
                if isinstance(result, Refused):
                    thumb = thumbnails.add(content)
                    refused.append(Refusal(member.name, str(result), thumb))
                    continue
                digest, image = result.sha256, result.image
                if not image.content:
                    image = replace(image, content=content)
                if len(image.content) > _TINY:
                    write([(digest, image)])
                else:
                    small.append((digest, image))
                place = places[member.name]
                accepted.append(Accepted(place, digest, image.extension, image.width, image.height))
        refused.sort(key=lambda one: place_in[one.file])
        return (accepted, refused), writer.submit(write, small)

    def write(images: list[tuple[str, CheckedImage]]) -> None:
        for digest, image in images:
            staging.write(digest, image.extension, image.content, image.thumb)

    accepted: list[Accepted] = []
    refused: list[Refusal] = []
    workers = _workers(members)
    with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(workers) as pool:
        batches = _batches(members)
        running: deque[Future[tuple[Batch, Future[None]]]] = deque()
        try:
            while True:
                for batch in islice(batches, 2 * workers + 2 - len(running)):
                    running.append(pool.submit(work, batch))
                if not running:
                    return accepted, refused
                while not wait([running[0]], timeout=_INTERVAL).done:
                    watch.check()
                (good, bad), written = running.popleft().result()
                written.result()
                accepted += good
                refused += bad
                watch.check()
                watch.show("Checking images", len(accepted) + len(refused), len(members))
        except BaseException:
            stop.set()
            decoders.close()
            for future in running:
                future.cancel()
            raise


def _workers(members: list[Member]) -> int:
    """Return the number of threads: one for tiny images, which the interpreter lock slows down."""
    tiny = sum(member.size for member in members) < _TINY * len(members)
    return 1 if tiny else len(os.sched_getaffinity(0))


class RefusedThumbnails:
    """Thumbnails of the first refused files, for the import report."""

    def __init__(self, staging: ImageFolder, decoders: DecoderPool) -> None:
        self._staging, self._decoders = staging, decoders
        self._left = MAX_THUMBNAILS
        self._lock = Lock()

    @property
    def wanted(self) -> bool:
        """Whether the report has room for more thumbnails."""
        return self._left > 0

    def add(self, content: bytes) -> str | None:
        """Store a thumbnail of `content` and return its sha256; None if there is none."""
        with self._lock:
            if self._left <= 0:
                return None
            self._left -= 1
        thumb = self._decoders.thumbnail(content)
        if thumb is None:
            return None
        digest = sha256(thumb).hexdigest()
        self._staging.write_thumb(digest, thumb)
        return digest


def add_thumbnails(
    refused: Sequence[Refusal], source: Source, thumbnails: RefusedThumbnails, limits: Limits
) -> list[Refusal]:
    """Read the refused files that are images, and add thumbnails to their refusals."""
    members = {member.name: member for member in source.members}
    found: list[Refusal] = []
    for one in refused:
        member, thumb = members.get(one.file), None
        if member is not None and thumbnails.wanted:
            with suppress(Refused):
                thumb = thumbnails.add(source.read(member, _is_image, limits.max_member_bytes))
        found.append(replace(one, thumb=thumb))
    return found


Part = list[tuple[Member, bytes]]


def _read_in_parts(
    source: Source, batch: list[Member], limits: Limits, refused: list[Refusal]
) -> Iterator[Part]:
    """Yield members with their content, about _BATCH_BYTES at a time; add refusals to `refused`."""
    part: Part = []
    size = 0
    for member in batch:
        try:
            content = source.read(member, _is_image, limits.max_member_bytes)
        except Refused as error:
            refused.append(Refusal(member.name, str(error)))
            continue
        part.append((member, content))
        size += len(content)
        if size > _BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _is_image(head: bytes) -> None:
    sniff(head)


def _batches(members: list[Member]) -> Iterator[list[Member]]:
    for start in range(0, len(members), _BATCH):
        yield members[start : start + _BATCH]
