"""Remote folders and images behind URLs: each problem is one sentence, and nothing is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.datasets.pictures import jpeg
from vecaf.datasets import import_dataset
from vecaf.datasets.archive import Member
from vecaf.datasets.folder_source import FolderSource
from vecaf.datasets.formats import ImportOptions
from vecaf.datasets.formats.urls import UrlSource
from vecaf.datasets.import_report import Refused
from vecaf.datasets.remote import _clear_errors, is_remote
from vecaf.datasets.sources import checked_source
from vecaf.errors import InputError, UnavailableError, VecafError
from vecaf.settings import Limits
from vecaf.store import Store


def test_which_sources_are_remote() -> None:
    assert all(is_remote(f"{scheme}://photos/pets") for scheme in ("s3", "gs", "az", "https"))
    assert not any(map(is_remote, ("/a/b", "http://a/b", "demo:color", "file:///etc", "s3:/a")))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError("AWS Error INVALID_ACCESS_KEY_ID"), InputError, "access is denied"),
        (OSError("AWS Error SIGNATURE_DOES_NOT_MATCH"), InputError, "access is denied"),
        (OSError("AWS Error ACCESS_DENIED during ListObjectsV2"), InputError, "access is denied"),
        (PermissionError("no"), InputError, "access is denied"),
        (OSError("AWS Error NO_SUCH_BUCKET"), InputError, "There is no file or folder"),
        (FileNotFoundError("x"), InputError, "There is no file or folder"),
        (OSError("AWS Error NETWORK_CONNECTION"), UnavailableError, "connection to .* failed"),
        (TimeoutError(), UnavailableError, "connection to .* failed"),
    ],
)
def test_errors_of_a_server(error: Exception, kind: type[VecafError], words: str) -> None:
    with pytest.raises(kind, match=words) as raised, _clear_errors("s3://photos/pets?sign=secret"):
        raise error
    assert "secret" not in str(raised.value)


def test_credentials_do_not_belong_into_an_address(
    store: Store, nothing_imported: Callable[[], None]
) -> None:
    with pytest.raises(InputError, match="contains credentials") as raised:
        import_dataset(store, "https://me:secret@example.org/pets", "pets")
    assert "secret" not in str(raised.value)
    nothing_imported()


def test_remote_folders_can_not_be_queued(store: Store) -> None:
    with pytest.raises(InputError, match="command line"):
        checked_source("s3://photos/pets", store.settings)


# Images that a table names by URL


def test_urls_are_not_downloaded_without_consent(
    store: Store, tmp_path: Path, nothing_imported: Callable[[], None]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("url,label\nhttps://example.org/1.jpg,cat\n")
    with pytest.raises(InputError, match="--fetch-urls"):
        import_dataset(store, path, "pets")
    nothing_imported()


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/moved":
        return httpx.Response(302, headers={"location": "http://example.org/1.jpg"})
    if request.url.path == "/large":
        return httpx.Response(200, content=jpeg(1) + bytes(5000))
    if request.url.path == "/cut":
        raise httpx.ReadError("cut")
    return httpx.Response(200 if request.url.path == "/1.jpg" else 404, content=jpeg(1))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[UrlSource]:
    found = UrlSource(FolderSource(tmp_path, Limits()), [], Limits(), httpx.MockTransport(answer))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/1.jpg", "only https"),
        ("https://example.org/moved", "only https"),
        ("https://example.org/none.jpg", "status 404"),
        ("https://example.org/large", "larger than"),
        ("https://example.org/cut", "can't be downloaded"),
    ],
)
def test_a_download_that_fails_is_a_refusal(source: UrlSource, url: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        source.read(Member("a.jpg", url, 0), lambda _head: None, 3000)


def test_a_download(source: UrlSource) -> None:
    member = Member("a.jpg", "https://example.org/1.jpg", 0)
    assert source.read(member, lambda _head: None, 3000) == jpeg(1)


def test_a_table_of_urls(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _self, asked: answer(asked))
    path = tmp_path / "list.csv"
    path.write_text("url,label\nhttps://example.org/1.jpg,cat\nhttps://example.org/2.jpg,cat\n")
    report = import_dataset(store, path, "pets", options=ImportOptions(fetch_urls=True))
    assert (report.images, report.refused_count) == (1, 1)
