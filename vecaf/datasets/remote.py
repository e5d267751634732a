"""Folders and files in object stores and on web servers as sources of an import.

Arrow has clients of S3, Google Cloud Storage and Azure. Web servers are read through fsspec.
Credentials come from the usual places of each service, such as ~/.aws/credentials. They are never
read from a URL and never stored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from vecaf.datasets.archive import ByteBudget, Container, HeadCheck, Member, copied, read_stream
from vecaf.datasets.import_report import Refusal, Refused
from vecaf.datasets.names import clean_path, is_junk
from vecaf.datasets.opening import CONTAINERS, open_source
from vecaf.datasets.zip_directory import too_many_files
from vecaf.errors import InputError, UnavailableError, VecafError
from vecaf.settings import Limits
from vecaf.wording import installation

SCHEMES = ("s3", "gs", "az", "https")
CONNECT_SECONDS, READ_SECONDS = 10, 30
_DENIED = re.compile(
    r"credential|invalid.?access.?key|signature.?does.?not.?match|access.?denied|forbidden|"
    r"unauthori[sz]ed|\b40[13]\b",
    re.IGNORECASE,
)
_MISSING = re.compile(r"NO_SUCH_|NoSuch|ContainerNotFound|\b404\b")


def is_remote(source: str | Path) -> bool:
    """Return whether an import source is the URL of a remote folder or file."""
    scheme, separator, _ = str(source).partition("://")
    return bool(separator) and scheme in SCHEMES


def shown_url(url: str) -> str:
    """Return a URL without a query, which can contain a signature."""
    return url.partition("?")[0]


def open_remote(url: str, limits: Limits, scratch: Path) -> Container:
    """Open a folder, or download a file such as a ZIP archive to `scratch` and open it.

    Raises
    ------
    InputError
        There is no such folder, access is denied, or a package is missing.
    UnavailableError
        The server does not answer.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise InputError(
            "The address contains credentials. Remove them, and store them where the service's own "
            "tools look for them."
        )
    files = _files_of(url)
    with _clear_errors(url):
        path = url if parts.scheme == "https" else f"{parts.netloc}{unquote(parts.path)}"
        if parts.path.lower().endswith((".zip", *CONTAINERS)):
            with files.open(path) as stream:
                budget = ByteBudget(limits.max_archive_bytes)
                try:
                    copy = copied(stream, scratch, limits.max_archive_bytes, budget)
                except Refused as error:
                    raise InputError(f"{shown_url(url)} can't be used: {error}.") from error
            return open_source(copy.rename(scratch / Path(parts.path).name), limits)
        return RemoteFolder(files, path, shown_url(url), limits)


class RemoteFiles(Protocol):
    """What an import needs from a remote file system."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of each file below a folder, by its path."""

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""


class ObjectStore:
    """An object store, by Arrow's client. (The listing of fsspec leaves out what fails.)"""

    def __init__(self, files: Any) -> None:
        self._files = files

    def sizes(self, folder: str) -> dict[str, int]:
        """See `RemoteFiles.sizes`."""
        from pyarrow import fs

        found = self._files.get_file_info(fs.FileSelector(folder.rstrip("/"), recursive=True))
        return {one.path: int(one.size or 0) for one in found if one.type == fs.FileType.File}

    def open(self, path: str) -> IO[bytes]:
        """See `RemoteFiles.open`."""
        stream: IO[bytes] = self._files.open_input_stream(path)
        return stream


class WebServer:
    """Folders of a web server that lists them as HTML pages, by fsspec."""

    def __init__(self) -> None:
        import fsspec

        options = {"trust_env": True}  # a proxy in the environment
        self._files = fsspec.filesystem("https", skip_instance_cache=True, client_kwargs=options)

    def sizes(self, folder: str) -> dict[str, int]:
        """See `RemoteFiles.sizes`."""
        self._files.ls(folder)  # raises errors that `find` leaves out
        found = self._files.find(folder, detail=True)
        return {path: int(one.get("size") or 0) for path, one in found.items()}

    def open(self, path: str) -> IO[bytes]:
        """See `RemoteFiles.open`."""
        stream: IO[bytes] = self._files.open(path, "rb", block_size=0)
        return stream


def _files_of(url: str) -> RemoteFiles:
    parts = urlsplit(url)
    with _clear_errors(url):
        if parts.scheme != "https":
            makers = {"s3": _s3, "gs": _gs, "az": _azure}
            return ObjectStore(makers[parts.scheme](parts.netloc))
        try:
            return WebServer()
        except ImportError as error:
            raise InputError(
                f"https:// folders need the package aiohttp. {installation('remote')}"
            ) from error


def _s3(bucket: str) -> Any:
    """Return Amazon's S3, or the server in AWS_ENDPOINT_URL."""
    from pyarrow import fs

    endpoint = urlsplit(_variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
    known = endpoint.netloc or _variable("AWS_REGION", "AWS_DEFAULT_REGION")
    return fs.S3FileSystem(
        region=None if known else fs.resolve_s3_region(bucket),
        endpoint_override=endpoint.netloc or None,
        scheme=endpoint.scheme or "https",
        connect_timeout=CONNECT_SECONDS,
        request_timeout=READ_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


def _variable(*names: str) -> str:
    """Return the first of these environment variables that is set, or ""."""
    return next((value for name in names if (value := os.environ.get(name))), "")


def _gs(_bucket: str) -> Any:
    from pyarrow import fs

    return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=READ_SECONDS))


def _azure(_container: str) -> Any:
    """Return the storage account in the environment variables of Azure's own tools."""
    from pyarrow import fs

    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise InputError(
            "az:// needs the name of the storage account. Set AZURE_STORAGE_ACCOUNT, and "
            "AZURE_STORAGE_KEY unless you are logged in with 'az login'."
        )
    return fs.AzureFileSystem(account, account_key=os.environ.get("AZURE_STORAGE_KEY"))


class RemoteFolder:
    """The files below a remote folder."""

    def __init__(self, files: RemoteFiles, path: str, url: str, limits: Limits) -> None:
        self._files, self._url, self._limits = files, url, limits
        self._budget = ByteBudget(limits.max_expanded_bytes)
        self.refused: list[Refusal] = []
        self.passed_over = 0
        found = files.sizes(path)
        if not found:
            raise InputError(f"There is no folder {url}, or it is empty. Check the address.")
        if len(found) > limits.max_members:
            raise InputError(too_many_files(url, limits))
        self.members = list(self._list(path.rstrip("/"), found))

    def _list(self, root: str, found: dict[str, int]) -> Iterator[Member]:
        for path in sorted(found):
            raw = path.removeprefix(root).lstrip("/")
            if not raw or raw.endswith("/"):
                continue
            if is_junk(raw):
                self.passed_over += 1
                continue
            try:
                yield Member(clean_path(raw), path, found[path])
            except InputError as error:
                self.refused.append(Refusal(ascii(raw), str(error)))

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        with self._opened(member) as stream:
            return read_stream(stream, check_head, max_bytes, self._budget)

    def local_file(self, member: Member, scratch: Path, max_bytes: int) -> Path:
        """Return a copy of the member; see `Container.local_file`."""
        with self._opened(member) as stream:
            return copied(stream, scratch, max_bytes, self._budget)

    @contextmanager
    def _opened(self, member: Member) -> Iterator[IO[bytes]]:
        with _clear_errors(self._url):
            try:
                with self._files.open(str(member.key)) as stream:
                    yield stream
            except FileNotFoundError as error:
                raise Refused("it was deleted during the import") from error

    def close(self) -> None:
        """Do nothing: the clients close their connections."""


@contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    """Raise a sentence for each error of a remote file system."""
    where = shown_url(url)
    try:
        yield
    except (VecafError, Refused):
        raise
    except FileNotFoundError as error:
        raise InputError(f"There is no file or folder {where}. Check the address.") from error
    except Exception as error:  # each service has its own classes
        text = f"{type(error).__name__}: {error}"
        if _MISSING.search(text):
            raise InputError(f"There is no file or folder {where}. Check the address.") from error
        reason = text.splitlines()[0][:200]
        if isinstance(error, PermissionError) or _DENIED.search(text):
            raise InputError(
                f"{where} can't be read: access is denied ({reason}). Check the credentials, which "
                "are read from the usual places of the service, and their permissions."
            ) from error
        raise UnavailableError(
            f"The connection to {where} failed ({reason}). Nothing was imported. Check the "
            "connection, then try again."
        ) from error
