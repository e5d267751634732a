"""Random input from outside is either accepted or refused with a VecafError.

`./test` tries a few examples; `./test --soak` runs for ten minutes. When Hypothesis finds an error,
it prints the input; add a test with that input.
"""

from __future__ import annotations

import copy
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.datasets.conftest import stored_files
from tests.datasets.pictures import packed, pixels
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.metadata import parse_metadata
from vecaf.errors import VecafError
from vecaf.export.receipt import Receipt, read_receipt
from vecaf.settings import Settings
from vecaf.store import Dataset, Store

SOAK_SECONDS = 600
PICTURES = [packed(pixels(seed, 16), kind)
            for seed, kind in enumerate(("JPEG", "PNG", "GIF", "BMP", "WEBP"))]  # fmt: skip
TEXT = st.text(max_size=12)
NAMES = st.one_of(
    st.sampled_from(["a", "b", "train", "test", "..", ".", "", "metadata.csv", "metadata.jsonl",
                     "C:", "__MACOSX", "x.jpg", "y.png", "CON", "\u202e", "é", "e\u0301"]),
    TEXT,
)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
CELLS = st.one_of(TEXT, st.sampled_from(["a/x.jpg", "train", "=1+1", "cat", "1.0", "null", '"']))
TABLES = st.tuples(
    st.lists(st.sampled_from(["file_name", "label", "text", "split", "x"]), max_size=5),
    st.lists(st.lists(CELLS, max_size=5), max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
).map(lambda t: t[3].join(t[2].join(row) for row in [t[0], *t[1]]).encode("utf-8", "replace"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
LINES = st.lists(
    st.one_of(
        JSON,
        st.dictionaries(st.sampled_from(["file_name", "label", "text", "caption", "split"]), JSON),
    ).map(json.dumps),
    max_size=5,
).map(lambda lines: "\n".join(lines).encode())


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with a few changes, deletions or insertions."""
    content = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        gone = draw(st.integers(0, 6))
        content = content[:at] + draw(st.binary(max_size=6)) + content[at + gone :]
    return content


MEMBERS = st.one_of(damaged(st.sampled_from(PICTURES)), TABLES, LINES, st.binary(max_size=64))


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A ZIP archive with unusual names and contents, possibly damaged."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(draw(st.integers(0, 6))):
            content = draw(MEMBERS)
            if number < 2 and draw(st.booleans()):
                name, content = f"{'ab'[number]}/{number}.jpg", PICTURES[number]
            else:
                name = draw(PATHS) or "x"
            method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
            info = zipfile.ZipInfo(name.replace("\0", "") or "x")
            info.external_attr = draw(st.sampled_from([0, 0o120777 << 16, 0o100644 << 16]))
            with suppress(UnicodeEncodeError):  # ZipFile rejects lone surrogates
                archive.writestr(info, content, method)
    return draw(damaged(st.just(buffer.getvalue())))


Fuzz = Callable[[Path], Callable[[], None]]
QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


def importer(folder: Path) -> Callable[[], None]:
    """Any file named .zip gives a complete dataset, or a VecafError and no stored files."""
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(folder / "home")}))
    path, count = folder / "upload.zip", 0
    outside = {entry.name for entry in folder.iterdir()} | {"upload.zip"}

    @given(archives())
    def fuzz(content: bytes) -> None:
        nonlocal count
        count += 1
        path.write_bytes(content)
        before = stored_files(store)
        try:
            report = import_dataset(store, path, f"fuzz {count}")
        except VecafError as error:
            assert str(error)
            assert stored_files(store) == before
        else:
            assert report.images > 0
            with store.read() as session:
                assert session.get(Dataset, report.dataset_id) is not None
        assert {entry.name for entry in folder.iterdir()} == outside

    return fuzz


def metadata(folder: Path) -> Callable[[], None]:
    """Any bytes as metadata give rows and refusals that are valid text, or a VecafError."""

    @given(st.sampled_from(["metadata.csv", "metadata.jsonl"]), damaged(TABLES | LINES))
    def fuzz(name: str, content: bytes) -> None:
        try:
            found = parse_metadata(content, name)
        except VecafError as error:
            assert name in str(error)
            return
        for path, row in found.rows.items():
            assert path and not path.startswith("/") and ".." not in path.split("/")
            assert all(value is None or value for value in (row.label, row.caption, row.split))
        assert all(one.reason for one in found.refused)

    return fuzz


RECEIPT = Receipt(
    run=1,
    name="r",
    config=RunConfig(dataset="d", rounds=2),
    dataset="d",
    content_hash="0" * 64,
    data_hash="1" * 64,
    versions=({"torch": "2"},),
    selected=(("a" * 64,), ("b" * 64, "c" * 64)),
    copies=((0,), (1, 0)),
).as_dict()


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value within a JSON value."""
    yield way
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, child in value.items() if isinstance(value, dict) else ():
        yield from places(child, (*way, key))


WAYS = [way for way in places(RECEIPT) if way]


@st.composite
def receipts(draw: st.DrawFn) -> bytes:
    """A valid receipt with some values replaced, removed or added, or with damaged bytes."""
    told = copy.deepcopy(RECEIPT)
    for _ in range(draw(st.integers(0, 3))):
        way = draw(st.sampled_from(WAYS))
        with suppress(KeyError, IndexError, TypeError):  # an earlier change removed this path
            inside: Any = told
            for key in way[:-1]:
                inside = inside[key]
            if draw(st.booleans()):
                inside[way[-1]] = draw(JSON | st.integers(-(2**70), 2**70))
            else:
                del inside[way[-1]]
    return draw(damaged(st.just(json.dumps(told).encode())))


def receipt_reader(folder: Path) -> Callable[[], None]:
    """Any file gives a receipt that can be written and read again, or a VecafError."""
    path = folder / "receipt.json"

    @given(receipts())
    def fuzz(content: bytes) -> None:
        path.write_bytes(content)
        try:
            found = read_receipt(path)
        except VecafError as error:
            assert str(error)
            return
        path.write_text(json.dumps(found.as_dict()))
        assert read_receipt(path) == found

    return fuzz


TARGETS: dict[str, tuple[Fuzz, int]] = {  # with the number of examples in ./test
    "importer": (importer, 60),
    "metadata": (metadata, 200),
    "receipts": (receipt_reader, 200),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_bytes_give_a_result_or_a_vecaf_error(name: str, tmp_path: Path) -> None:
    target, examples = TARGETS[name]
    settings(max_examples=examples, derandomize=True, **QUICK)(target(tmp_path))()  # type: ignore[arg-type]


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_ten_minutes_of_random_bytes(name: str, tmp_path: Path) -> None:
    target, _ = TARGETS[name]
    end, number = time.monotonic() + SOAK_SECONDS / len(TARGETS), 0
    while time.monotonic() < end:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        phases = (Phase.generate, Phase.target, Phase.shrink)
        settings(max_examples=500, phases=phases, **QUICK)(target(folder))()  # type: ignore[arg-type]
