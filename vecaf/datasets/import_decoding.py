"""Functions that the decoder processes of an import run. They take and return bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from vecaf.datasets.images import CheckedImage, LargeImage, check
from vecaf.datasets.import_report import Refused
from vecaf.datasets.process_limits import limit_processor_time
from vecaf.settings import Limits


@dataclass(frozen=True, slots=True)
class Decoded:
    """A valid image and the sha256 of its content.

    `image.content` is empty if it equals the uploaded content, so that it is not sent back.
    """

    sha256: str
    image: CheckedImage


LARGE = None
Outcome = Decoded | str | None
"""A valid image, the reason why it can't be used, or LARGE."""


def check_images(
    contents: Sequence[bytes], limits: Limits, cpu_seconds: int, large: bool
) -> list[Outcome]:
    """Check images. If not `large`, large images are not decoded; their outcome is LARGE.

    Each image may take `cpu_seconds` of processor time; otherwise SIGXCPU ends the process.
    """
    return [_check(content, limits, cpu_seconds, large) for content in contents]


def _check(content: bytes, limits: Limits, cpu_seconds: int, large: bool) -> Outcome:
    limit_processor_time(cpu_seconds)
    try:
        image = check(content, limits, large=large)
    except LargeImage:
        return LARGE
    except Refused as reason:
        return str(reason)
    digest = sha256(image.content).hexdigest()
    return Decoded(digest, replace(image, content=b"") if image.content == content else image)
