"""A backup's file: a plain tar archive that checks itself, written and read in one pass.

    backup.json      what it is (first)
    studio.db        the database, where it is SQLite
    images/ab/…      the files, as they lie in the home
    sha256sums.txt   of all of the above, in the same order (last)

Without the studio: `tar -xf BACKUP && sha256sum -c sha256sums.txt`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from vecaf.errors import InputError, VecafError

FORMAT = 1
ABOUT, DATABASE, SUMS = "backup.json", "studio.db", "sha256sums.txt"
PARTS = ("images", "thumbs", "runs", "tasks", "benchmarks", "embeddings")
MAX_ABOUT = 1024**2
_CHUNK = 1 << 20
_NAME = re.compile(rf"(?:{'|'.join(PARTS)})(?:/(?!\.)[^/\x00-\x1f\\]+)+")


class Writer:
    """Writes members one after the other and their sums at the end. Memory stays flat."""

    def __init__(self, file: IO[bytes], about: Mapping[str, Any]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._sums = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self.files = 0
        content = json.dumps(about, indent=2).encode() + b"\n"
        self._add(io.BytesIO(content), ABOUT, len(content))

    def add(self, path: Path, name: str) -> None:
        """Add a file as it is at this moment. Raises FileNotFoundError, also for a name that no
        file of the studio has: it could not be restored."""
        if name != DATABASE and not _NAME.fullmatch(name):
            raise FileNotFoundError(name)
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            self._add(file, name, size)
        self.files += 1

    def close(self) -> None:
        """Write the sums: an archive without them is known to be cut short."""
        size = self._sums.tell()
        self._sums.seek(0)
        self._tar.addfile(_info(SUMS, size), self._sums)
        self._tar.close()
        self._sums.close()

    def _add(self, file: IO[bytes], name: str, size: int) -> None:
        hashing = _Hashing(file)
        try:
            self._tar.addfile(_info(name, size), hashing)
        except OSError as error:
            if error.errno is None:  # tarfile's own: fewer bytes came than there were
                raise VecafError(f"{name} was cut short while it was read; try again.") from error
            raise
        self._tar.members = []  # type: ignore[attr-defined]  # it remembers every member
        self._sums.write(_line(hashing.digest.hexdigest(), name))


class Reader:
    """Reads the members of an archive that may come from anybody into a folder, and checks them."""

    def __init__(self, path: Path) -> None:
        """Raises InputError for what is no backup, or one that this program can't read."""
        self._path = path
        try:
            self._tar = tarfile.open(path, mode="r|")  # noqa: SIM115
            first = self._tar.next()
            content = self._tar.extractfile(first) if first is not None else None
            if first is None or content is None or first.name != ABOUT or first.size > MAX_ABOUT:
                raise InputError(self._no_backup())
            text = content.read()
            self.about: dict[str, Any] = json.loads(text)
        except FileNotFoundError:
            raise InputError(f"There is no file {path}; give a file that backup wrote.") from None
        except (tarfile.TarError, ValueError, EOFError, IsADirectoryError) as error:
            raise InputError(self._no_backup()) from error
        if not isinstance(self.about, dict) or self.about.get("format") != FORMAT:
            raise InputError(
                f"{path} is a backup of a format that this program does not read. "
                "Update VeCAF Studio."
            )
        self._sums = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._sums.write(_line(hashlib.sha256(text).hexdigest(), ABOUT))

    def extract(self, to: Path, database: str) -> int:
        """Write every file below `to` and compare all sums; how many files. The database goes by
        the name `database`, so that it can be put in place last.

        Raises VecafError for an archive that is damaged, cut short or holds what no backup does.
        """
        count = 0
        try:
            while (member := self._tar.next()) is not None:
                self._tar.members = []  # type: ignore[attr-defined]
                content = self._tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise VecafError(self._damaged(f"{member.name!r} is no regular file"))
                if member.name == SUMS:
                    self._compare(content)
                    return count
                if member.name != DATABASE and not _NAME.fullmatch(member.name):
                    raise VecafError(self._damaged(f"{member.name!r} is no name of a stored file"))
                target = to / (database if member.name == DATABASE else member.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                hashing = _Hashing(content)
                with target.open("xb") as out:
                    while piece := hashing.read(_CHUNK):
                        out.write(piece)
                self._sums.write(_line(hashing.digest.hexdigest(), member.name))
                count += 1
        except FileExistsError as error:
            raise VecafError(self._damaged("a file is in it twice")) from error
        except (tarfile.TarError, EOFError) as error:
            raise VecafError(self._damaged(str(error))) from error
        raise VecafError(self._damaged("its end is missing"))

    def close(self) -> None:
        self._tar.close()
        self._sums.close()

    def _compare(self, told: IO[bytes]) -> None:
        self._sums.seek(0)
        for line in self._sums:
            expected = told.readline()
            if line != expected:
                name = line[66:].decode().strip()
                raise VecafError(self._damaged(f"{name} is not what was backed up"))
        if told.read(1):
            raise VecafError(self._damaged("files are missing from it"))

    def _no_backup(self) -> str:
        return f"{self._path} is not a backup of the studio; give a file that backup wrote."

    def _damaged(self, why: str) -> str:
        return f"The backup {self._path} is damaged: {why}. Nothing was restored."


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def _line(digest: str, name: str) -> bytes:
    return f"{digest}  {name}\n".encode()
