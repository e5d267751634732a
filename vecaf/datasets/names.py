"""Clean names from uploads, so that they are safe to store, sort and show. Pages escape them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection
from itertools import count

from vecaf.errors import InputError

MAX_NAME = 500  # characters in a class name; file systems allow 255, metadata files more
MAX_PATH = 1000  # characters in a file name with its folders
MAX_DATASET_NAME = 100

# Bidirectional control characters, which can make "gpj.exe" look like "exe.jpg". Joiners (U+200D)
# stay, since emoji and several scripts need them.
_BIDI = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_DRIVE = re.compile(r"[A-Za-z]:/")
_DATASET_NAME = re.compile(r"\w[\w .()+-]*")
_IMAGES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic",
    ".heif", ".avif",
}  # fmt: skip
_JUNK = {"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "$recycle.bin"}


def clean(text: str) -> str:
    """Normalize text to NFC and remove control, bidirectional and lone surrogate characters.

    Leading and trailing spaces are removed. Line breaks and tabs become one space.
    """
    if text.isascii() and text.isprintable():
        return text.strip()  # a fast path for most names
    text = re.sub(r"[\t-\r\x85\u2028\u2029]+", " ", text).translate(_BIDI)
    visible = "".join(c for c in text if unicodedata.category(c) not in _UNSEEN)
    return unicodedata.normalize("NFC", visible).strip()


_UNSEEN = {"Cc", "Cs"}


def clean_path(raw: str) -> str:
    """Return a member's path for storing and showing: each part cleaned, joined by '/'.

    Backslashes also separate folders, since some Windows programs write them. Raises InputError,
    with the reason, if the path leads out of the archive, or is absolute, empty or too long.
    """
    name = raw.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        raise InputError("its name is an absolute path")
    parts = [clean(part) for part in name.split("/")]
    if ".." in parts:
        raise InputError("its path points outside the archive ('..')")
    path = "/".join(part for part in parts if part not in ("", "."))
    if not path:
        raise InputError("it has no usable name")
    if len(path) > MAX_PATH:
        raise InputError(f"its name is longer than {MAX_PATH} characters")
    return path


def readable_name(name: str) -> str:
    """Return a file system path as text; parts that are not UTF-8 are decoded as CP437.

    Dropping the bytes instead could make different names equal.
    """

    def read(part: str) -> str:
        try:
            part.encode()
        except UnicodeEncodeError:  # Python represents undecodable bytes as surrogates
            return os.fsencode(part).decode("cp437")
        return part

    return map_parts(name, read)


def map_parts(path: str, read: Callable[[str], str]) -> str:
    """Apply `read` to each part of `path`; parts for which it raises UnicodeError stay."""

    def one(part: str) -> str:
        try:
            return read(part)
        except UnicodeError:
            return part

    return "/".join(map(one, path.split("/")))


def looks_like_image(path: str) -> bool:
    """Return whether the file's extension is that of an image."""
    return path[path.rfind(".") :].lower() in _IMAGES


def is_junk(path: str) -> bool:
    """Return whether this is a file of the operating system: dotfiles, `__MACOSX`, `Thumbs.db` …"""
    return any(part.startswith(".") or part.casefold() in _JUNK for part in path.split("/"))


def dataset_name(name: str) -> str:
    """Return the cleaned name of a dataset. Raises InputError if it is not valid."""
    cleaned = clean(name)
    fits = len(cleaned) <= MAX_DATASET_NAME and _DATASET_NAME.fullmatch(cleaned)
    if not fits or cleaned.isdecimal():
        raise InputError(
            f"'{cleaned[:MAX_DATASET_NAME]}' is not a valid dataset name. Use up to "
            f"{MAX_DATASET_NAME} letters, digits, spaces and . _ - + ( ), starting with a letter "
            "or digit. A number alone is not allowed, since it could be an id."
        )
    return cleaned


def free_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, or the first of "name 2", "name 3", … if it is taken."""
    if name not in taken:
        return name
    unnumbered = re.sub(r" [0-9]+$", "", name)
    base = unnumbered if unnumbered in taken else name  # the 10 of "CIFAR 10" belongs to the name
    numbered = (
        base[: MAX_DATASET_NAME - len(suffix)].rstrip() + suffix
        for suffix in (f" {number}" for number in count(2))
    )
    return next(candidate for candidate in numbered if candidate not in taken)
