"""Round trips through tools that have an environment of their own: FiftyOne, Label Studio, S3."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.datasets.formats.facts import Item, expected, items, stored
from tests.datasets.formats.test_exports import dataset
from tests.datasets.pictures import jpeg
from vecaf.datasets import import_dataset
from vecaf.datasets.exporting import export_dataset
from vecaf.datasets.remote import ObjectStore
from vecaf.errors import InputError, UnavailableError
from vecaf.store import Store

__all__ = ["dataset"]

pytestmark = pytest.mark.soak
ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-interop" / "bin" / "python"
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(autouse=True)
def environment() -> None:
    if not PYTHON.exists():
        pytest.skip("./test --soak makes .venv-interop, which is missing")


def until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("The server did not start.")


@contextmanager
def serving(folder: Path, key: Path, certificate: Path) -> Iterator[str]:
    """Serve a folder over HTTPS; yields its address."""
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return None


def run(program: str, *arguments: object, given: object = None) -> str:
    """Run a program in the other environment and return its output."""
    done = subprocess.run(
        [PYTHON, PROGRAMS / program, *map(str, arguments)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env=os.environ | {"FIFTYONE_DO_NOT_TRACK": "true"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("task", ["write", "tree"])
def test_fiftyone_exports_are_imported(store: Store, tmp_path: Path, task: str) -> None:
    found = [Item("train", one.content, one.label, "", f"{i}-{one.name}")
             for i, one in enumerate(items())]  # fmt: skip
    found.append(Item("train", jpeg(999), "", "", "unlabeled.jpg"))
    paths = []
    for one in found:
        (tmp_path / one.name).write_bytes(one.content)
        paths.append([str(tmp_path / one.name), one.label or None])
    folder = tmp_path / "out" / "train"
    run("with_fiftyone.py", task, folder, given=paths)
    import_dataset(store, tmp_path / "out", "back")
    moved = [Item("train", *one) for one in facts(store, "back")]
    assert sorted(moved) == expected(found)


def facts(store: Store, name: str) -> list[tuple[bytes, str, str]]:
    """Return a dataset without its splits, some of which the import draws."""
    return [(one.content, one.label, one.caption) for one in stored(store, name)]


def test_fiftyone_reads_an_export(store: Store, tmp_path: Path, dataset: int) -> None:
    export_dataset(store, store.owner(), dataset, tmp_path / "out", "fiftyone")
    found = []
    for split in ("train", "val", "test"):
        for path, label in json.loads(run("with_fiftyone.py", "read", tmp_path / "out" / split)):
            found.append(Item(split, Path(path).read_bytes(), label or ""))
    wanted = expected(stored(store, "first"), captions=False)
    assert [(one.split, one.label) for one in sorted(found)] == [
        (one.split, one.label) for one in wanted
    ]
    assert sorted(found) == wanted


def test_label_studio_accepts_an_export_and_gives_it_back(
    store: Store, tmp_path: Path, dataset: int
) -> None:
    out = tmp_path / "out"
    export_dataset(store, store.owner(), dataset, out, "label-studio")
    run("with_label_studio.py", out, tmp_path)
    (short,) = (tmp_path / "short").glob("*.json")
    labeled = [one for one in stored(store, "first") if one.label]
    for kind, exported in (("full", tmp_path / "export.json"), ("short", short)):
        shutil.copy(exported, out / "tasks.json")
        import_dataset(store, out, kind)
        assert [one for one in stored(store, kind) if one.label] == labeled


SERVERS: dict[str, subprocess.Popen[bytes]] = {}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local S3 server; yields its address. The environment has credentials for it."""
    with s3_server(monkeypatch) as address:
        yield address


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [str(PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    variables = os.environ | environment
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=variables) as server:
        until_it_answers(port)
        for name, value in {
            "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "known",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        SERVERS[address] = server
        yield address
        server.kill()


def fill(found: list[Item]) -> None:
    from pyarrow import fs

    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    files = fs.S3FileSystem(
        allow_bucket_creation=True, endpoint_override=endpoint.netloc, scheme=endpoint.scheme
    )
    files.create_dir("photos")
    for one in found:
        name = f"photos/pets/{one.split}/{one.label}/{one.name}"
        with files.open_output_stream(name) as stream:
            stream.write(one.content)


def test_s3_folders_are_imported(store: Store, s3: str) -> None:
    found = items()
    fill(found)
    report = import_dataset(store, "s3://photos/pets", "pets")
    assert report.refused == ()
    assert stored(store, "pets") == expected(found, captions=False)
    for wrong in ("s3://photos/none", "s3://nobucket/pets"):
        with pytest.raises(InputError, match="There is no"):
            import_dataset(store, wrong, "wrong")


def test_wrong_credentials_of_s3(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server checks credentials from the first request on."""
    with (
        s3_server(monkeypatch, INITIAL_NO_AUTH_ACTION_COUNT="0"),
        pytest.raises(InputError, match="access is denied"),
    ):
        import_dataset(store, "s3://photos/pets", "pets")


def test_a_cut_connection_to_s3(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    s3: str,
    nothing_imported: Callable[[], None],
) -> None:
    """The server ends after it has listed the files, and then is not there at all."""
    fill(items())
    sizes = ObjectStore.sizes

    def then_cut(self: ObjectStore, folder: str) -> dict[str, int]:
        found = sizes(self, folder)
        SERVERS[s3].kill()
        SERVERS[s3].wait()
        return found

    monkeypatch.setattr(ObjectStore, "sizes", then_cut)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="connection to s3://photos/pets failed"):
            import_dataset(store, "s3://photos/pets", "pets")
        nothing_imported()


def test_https_folders_are_imported(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    for one in items():
        path = folder / one.split / one.label.replace(" ", "_") / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.content)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
         certificate], check=True, capture_output=True,
    )  # fmt: skip
    with serving(folder, key, certificate) as address:
        done = subprocess.run(
            [sys.executable, "-m", "vecaf", "import", address, "--name", "web", "--json"],
            capture_output=True, text=True, cwd=ROOT,
            env=os.environ | {"VECAF_HOME": str(tmp_path / "home"),
                              "SSL_CERT_FILE": str(certificate)},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["images"] == len(items())
    assert sorted(report["classes"]) == ["cat", "dog", "gray_wolf"]
    assert report["refused"] == []
