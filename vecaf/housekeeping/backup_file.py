"""The file format of a backup: a tar archive with checksums, written and read in one pass.

    backup.json      describes the backup (first)
    studio.db        the database, if it is SQLite
    images/ab/…      the files, with their paths in the data folder
    sha256sums.txt   checksums of all files above, in the same order (last)

To check it without the studio: `tar -xf BACKUP && sha256sum -c sha256sums.txt`.
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
    """Writes files one by one, and their checksums at the end. Memory use stays constant."""

    def __init__(self, file: IO[bytes], about: Mapping[str, Any]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._sums = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self.files = 0
        content = json.dumps(about, indent=2).encode() + b"\n"
        self._add(io.BytesIO(content), ABOUT, len(content))

    def add(self, path: Path, name: str) -> None:
        """Add a file under `name`.

        Raises FileNotFoundError if the file is missing, or if `restore` would reject the name.
        """
        if name != DATABASE and not _NAME.fullmatch(name):
            raise FileNotFoundError(name)
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            self._add(file, name, size)
        self.files += 1

    def close(self) -> None:
        """Write the checksums and close the archive. Without checksums, it counts as truncated."""
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
            if error.errno is None:  # raised by tarfile: the file has become shorter
                raise VecafError(
                    f"No backup was made: {name} became shorter while it was read. Try again."
                ) from error
            raise
        self._tar.members = []  # type: ignore[attr-defined]  # else it keeps every member
        self._sums.write(_line(hashing.digest.hexdigest(), name))


class Reader:
    """Extracts a backup from an untrusted source into a folder, and checks it."""

    def __init__(self, path: Path) -> None:
        """Open a backup. Raises InputError if it is not one, or has an unknown format."""
        self._path = path
        try:
            self._tar = tarfile.open(path, mode="r|")  # noqa: SIM115
            first = self._tar.next()
            content = self._tar.extractfile(first) if first is not None else None
            if first is None or content is None or first.name != ABOUT or first.size > MAX_ABOUT:
                raise InputError(self._not_a_backup())
            text = content.read()
            self.about: dict[str, Any] = json.loads(text)
        except FileNotFoundError:
            raise InputError(f"There is no file {path}. Check the path of the backup.") from None
        except (tarfile.TarError, ValueError, EOFError, IsADirectoryError) as error:
            raise InputError(self._not_a_backup()) from error
        if not isinstance(self.about, dict) or self.about.get("format") != FORMAT:
            raise InputError(
                f"The backup {path} has a format that this version of VeCAF Studio can't read. "
                "Update VeCAF Studio."
            )
        self._sums = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._sums.write(_line(hashlib.sha256(text).hexdigest(), ABOUT))

    def extract(self, to: Path, database: str) -> int:
        """Extract all files to the folder `to`, compare all checksums, and return their number.

        Parameters
        ----------
        database
            The name to give the database, so that the caller can move it into place last.

        Raises
        ------
        VecafError
            The archive is damaged or truncated, or contains a file that is not allowed.
        """
        count = 0
        try:
            while (member := self._tar.next()) is not None:
                self._tar.members = []  # type: ignore[attr-defined]
                content = self._tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise VecafError(self._damaged(f"{member.name!r} is not a regular file"))
                if member.name == SUMS:
                    self._compare(content)
                    return count
                if member.name != DATABASE and not _NAME.fullmatch(member.name):
                    raise VecafError(
                        self._damaged(f"{member.name!r} is not a file of a data folder")
                    )
                target = to / (database if member.name == DATABASE else member.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                hashing = _Hashing(content)
                with target.open("xb") as out:
                    while piece := hashing.read(_CHUNK):
                        out.write(piece)
                self._sums.write(_line(hashing.digest.hexdigest(), member.name))
                count += 1
        except FileExistsError as error:
            raise VecafError(self._damaged("it contains a file twice")) from error
        except (tarfile.TarError, EOFError) as error:
            raise VecafError(self._damaged(str(error))) from error
        raise VecafError(self._damaged("its end is missing"))

    def close(self) -> None:
        """Close the archive."""
        self._tar.close()
        self._sums.close()

    def _compare(self, recorded: IO[bytes]) -> None:
        self._sums.seek(0)
        for line in self._sums:
            expected = recorded.readline()
            if line != expected:
                name = line[66:].decode().strip()
                raise VecafError(self._damaged(f"the checksum of {name} does not match"))
        if recorded.read(1):
            raise VecafError(self._damaged("files are missing"))

    def _not_a_backup(self) -> str:
        return f"{self._path} is not a backup. Choose a file that `python -m vecaf backup` wrote."

    def _damaged(self, why: str) -> str:
        return (
            f"The backup {self._path} is damaged: {why}. Nothing was restored. Use another backup."
        )


class _Hashing:
    """A file that computes the sha256 of what is read from it."""

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
