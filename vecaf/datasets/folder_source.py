"""Folders as sources of an import. Links out of the folder are not followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from vecaf.datasets.archive import ByteBudget, HeadCheck, Member, read_stream, refusal
from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.names import clean_path, is_junk, readable_name
from vecaf.datasets.zip_directory import too_many_files
from vecaf.errors import InputError
from vecaf.settings import Limits


class FolderSource:
    """The files below a folder. Links are followed only if they lead to files in this folder.

    `only` is the name of the one file to read, or None for all.
    """

    def __init__(self, path: Path, limits: Limits, only: str | None = None) -> None:
        self._limits = limits
        self._only = only
        self._budget = ByteBudget(limits.max_expanded_bytes)
        self._root = path.resolve()
        self.refused: list[Refusal] = []
        self.passed_over = 0
        self.members = list(self._list())

    def _list(self) -> Iterator[Member]:
        seen: set[str] = set()
        for path in self._walk():
            raw = readable_name(path.relative_to(self._root).as_posix())
            if is_junk(raw):
                self.passed_over += 1
                continue
            try:
                name = clean_path(raw)
                if name in seen:
                    raise InputError(
                        "after its special characters are removed, its name is the same as that of "
                        "another file; only the first is used"
                    )
                member = Member(name, *self._checked(path))
            except InputError as error:
                self.refused.append(refusal(raw, str(error)))
                continue
            seen.add(name)
            yield member

    def _walk(self) -> Iterator[Path]:
        """Yield every file and every link, sorted within each folder."""
        if self._only is not None:
            yield self._root / self._only
            return
        count = 0
        for folder, below, files in os.walk(self._root, onerror=self._unreadable):
            here = Path(folder)
            links = [name for name in below if os.path.islink(here / name)]  # noqa: PTH114 (never raises)
            below.sort()
            for name in sorted(files) + links:
                count += 1
                if count > self._limits.max_members:
                    raise InputError(too_many_files(self._root.name, self._limits))
                yield here / name

    def _unreadable(self, error: OSError) -> None:
        """Handle the error of a folder that could not be listed."""
        path = Path(error.filename)
        if path == self._root:
            reason = f"{path} can't be read ({error.strerror}). Check its permissions."
            raise InputError(reason) from error
        raw = readable_name(path.relative_to(self._root).as_posix())
        if is_junk(raw):
            self.passed_over += 1
        else:
            reason = f"the folder can't be read ({error.strerror})"
            self.refused.append(refusal(raw, reason))

    def _checked(self, path: Path) -> tuple[Path, int]:
        """Return the file that `path` leads to, and its size."""
        try:
            if path.is_symlink():
                target = path.resolve()
                if not target.is_relative_to(self._root):
                    raise InputError("it is a link to a file outside the folder")
                path = target
            facts = path.stat()
        except OSError as error:
            raise InputError(f"it can't be read ({error.strerror})") from error
        except RuntimeError as error:  # raised by Python before 3.13
            raise InputError("it is a link to itself") from error
        if not stat.S_ISREG(facts.st_mode):
            raise InputError("it is not a regular file")
        return path, facts.st_size

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        assert isinstance(member.key, Path)
        try:
            with member.key.open("rb") as stream:
                return read_stream(stream, check_head, max_bytes, self._budget)
        except OSError as error:
            raise Refused(f"it can't be read ({error.strerror or error})") from error

    def local_file(self, member: Member, scratch: Path, max_bytes: int) -> Path:
        """Return the file itself; see `Container.local_file`."""
        assert isinstance(member.key, Path)
        return member.key

    def close(self) -> None:
        """Do nothing: `read` closes each file."""
