"""Imports decode images in processes with limits; a file that breaks one is refused alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.datasets.pictures import jpeg
from vecaf.datasets import decoder_pool, import_dataset
from vecaf.datasets.decoder_pool import CRASHED, TOO_SLOW, DecoderPool
from vecaf.datasets.import_decoding import LARGE, Decoded, Outcome, check_images
from vecaf.datasets.import_report import Refused
from vecaf.settings import GIB, Limits
from vecaf.store import Store

GOOD = jpeg()
SLOW, GREEDY, DEADLY, BIG = b"slow", b"greedy", b"deadly", b"big"


def check_with_bad_files(
    contents: Sequence[bytes], limits: Limits, cpu_seconds: int, large: bool
) -> list[Outcome]:
    """Check images as usual, except that some contents behave like malicious files."""
    outcomes: list[Outcome] = []
    for content in contents:
        outcomes += check_images([content], limits, cpu_seconds, large)
        if content.startswith(SLOW):
            while True:
                pass
        if content.startswith(DEADLY):
            os.kill(os.getpid(), signal.SIGKILL)
        if content == GREEDY:
            with pytest.raises(MemoryError):
                bytearray(2 * GIB)
        if content == BIG:
            outcomes[-1] = "decoded alone" if large else LARGE
    return outcomes


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderPool]:
    monkeypatch.setattr(decoder_pool, "check_images", check_with_bad_files)
    with DecoderPool(Limits(), 1, cpu_seconds=1, memory_bytes=GIB) as pool:
        yield pool


def reasons(results: Sequence[Decoded | Refused]) -> list[str]:
    return [str(result) if isinstance(result, Refused) else "good" for result in results]


def test_only_the_file_that_breaks_a_decoder_is_refused(decoders: DecoderPool) -> None:
    found = reasons(decoders.check([GOOD, DEADLY, GOOD, SLOW, GREEDY, BIG]))
    assert found[:4] == ["good", CRASHED, "good", TOO_SLOW]
    assert found[4].startswith("it is") and found[5] == "decoded alone"
    assert reasons(decoders.check([GOOD, GOOD])) == ["good", "good"]


def test_a_closed_pool_has_no_processes(decoders: DecoderPool) -> None:
    decoders.check([GOOD])
    decoders.close()
    assert reasons(decoders.check([GOOD])) != ["good"]


def test_an_import_goes_on_after_a_bad_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_pool, "check_images", check_with_bad_files)
    (tmp_path / "shapes").mkdir()
    for name, content in (("a.jpg", GOOD), ("b.jpg", jpeg(1)), ("c.jpg", DEADLY)):
        (tmp_path / "shapes" / name).write_bytes(content)
    monkeypatch.setattr("vecaf.datasets.checked_images._is_image", lambda head: None)
    report = import_dataset(store, tmp_path / "shapes", "shapes")
    assert (report.images, [one.file for one in report.refused]) == (2, ["c.jpg"])
    assert report.refused[0].reason == CRASHED
