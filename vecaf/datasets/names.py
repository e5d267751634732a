"""Names that strangers chose, made safe to store, sort and show (escaping is the page's work)."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection
from itertools import count

from vecaf.errors import InputError

MAX_NAME = 500  # characters of a class name; file systems stop at 255, metadata need not
MAX_PATH = 1000  # characters of a file name with its folders
MAX_DATASET_NAME = 100

# Characters that steer the direction of the text around them, and can make "gpj.exe" look like
# "exe.jpg". Joiners (U+200D) stay: emoji and several scripts need them.
_BIDI = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_DRIVE = re.compile(r"[A-Za-z]:/")
_DATASET_NAME = re.compile(r"\w[\w .()+-]*")
_IMAGES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"}
_JUNK = {"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "$recycle.bin"}


def clean(text: str) -> str:
    """`text` in NFC without control, bidirectional or lone surrogate characters, ends stripped.

    Line breaks and tabs become one space.
    """
    if text.isascii() and text.isprintable():
        return text.strip()  # most names, quickly
    text = re.sub(r"[\t-\r\x85\u2028\u2029]+", " ", text).translate(_BIDI)
    visible = "".join(c for c in text if unicodedata.category(c) not in _UNSEEN)
    return unicodedata.normalize("NFC", visible).strip()


_UNSEEN = {"Cc", "Cs"}


def clean_path(raw: str) -> str:
    """A member's path as it is stored and shown: folders by '/', every part cleaned.

    Raises InputError, with the reason as its message, for a name that leads out of its archive,
    is absolute, empty or too long. Backslashes are folders too: some Windows programs write them.
    """
    name = raw.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        raise InputError("its name is an absolute path")
    parts = [clean(part) for part in name.split("/")]
    if ".." in parts:
        raise InputError("its name leads out of the archive ('..')")
    path = "/".join(part for part in parts if part not in ("", "."))
    if not path:
        raise InputError("it has no usable name")
    if len(path) > MAX_PATH:
        raise InputError(f"its name is longer than {MAX_PATH} characters")
    return path


def readable_name(name: str) -> str:
    """A name of the file system; what is not UTF-8 in it is read as archives' names are, as
    dropping its bytes would make different names the same."""

    def read(part: str) -> str:
        try:
            part.encode()
        except UnicodeEncodeError:  # Python hides bytes that it can't decode in surrogates
            return os.fsencode(part).decode("cp437")
        return part

    return map_parts(name, read)


def map_parts(path: str, read: Callable[[str], str]) -> str:
    """`path` with each part read by itself, so that a bad one leaves its folders as they are; a
    part that can't be read so stays."""

    def one(part: str) -> str:
        try:
            return read(part)
        except UnicodeError:
            return part

    return "/".join(map(one, path.split("/")))


def looks_like_image(path: str) -> bool:
    """By its ending; what a file really is only its content says."""
    return path[path.rfind(".") :].lower() in _IMAGES


def is_junk(path: str) -> bool:
    """Whether an operating system left this file behind: dotfiles, `__MACOSX`, `Thumbs.db` …"""
    return any(part.startswith(".") or part.casefold() in _JUNK for part in path.split("/"))


def dataset_name(name: str) -> str:
    """The dataset's name, cleaned; InputError says what a name may look like."""
    cleaned = clean(name)
    fits = len(cleaned) <= MAX_DATASET_NAME and _DATASET_NAME.fullmatch(cleaned)
    if not fits or cleaned.isdecimal():
        raise InputError(
            f"'{cleaned[:MAX_DATASET_NAME]}' can't be a dataset's name. Use up to "
            f"{MAX_DATASET_NAME} letters, digits, spaces and . _ - + ( ), beginning with a letter "
            "or digit; a number alone is taken for an id."
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
