"""Images are decoded outside the server, with limits, and refused consistently everywhere."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.shell.decoder import USER_LIMIT, Decoder
from app.shell.received import check_image, image_of
from app.shell.studio import Studio
from tests.app.calls import complain, crash, grow, hang, number, of_its_process, spin
from tests.app.conftest import picture
from tests.app.test_routes import samples
from tests.datasets.pictures import with_scans
from tests.waiting import result_of
from vecaf.datasets.decoding import thumbnail
from vecaf.errors import InputError, TooManyRequestsError, UnavailableError
from vecaf.evaluation.corruptions.preview import corrupted_copy
from vecaf.settings import GIB, Limits

ME, SHE = 1, 2


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(cpu_seconds=1, memory_bytes=GIB)


def test_results_and_errors_come_back(decoder: Decoder) -> None:
    assert result_of(decoder.run(ME, number, 7)) == b"7"
    with pytest.raises(InputError, match="No"):
        result_of(decoder.run(ME, complain))


def test_each_call_has_a_process_of_its_own(decoder: Decoder) -> None:
    found = {result_of(decoder.run(ME, of_its_process)) for _ in range(3)}
    assert len(found) == 3 and number(os.getpid()) not in found


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (spin, InputError, "takes too long"),
        (grow, InputError, "too much memory"),
        (crash, UnavailableError, "ended unexpectedly"),
    ],
)
def test_a_file_that_breaks_its_process_gets_a_sentence(
    decoder: Decoder, function: Callable[[], bytes], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        result_of(decoder.run(ME, function))
    assert result_of(decoder.run(ME, number, 7)) == b"7"


def pipe_in(folder: Path) -> Path:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    return pipe


def first_line(pipe: Path) -> str:
    with pipe.open() as lines:
        return lines.readline().strip()


def test_a_call_that_nobody_waits_for_ends(decoder: Decoder, tmp_path: Path) -> None:
    pipe = pipe_in(tmp_path)

    async def leave() -> int:
        call = asyncio.create_task(decoder.run(ME, hang, pipe))
        process = int(await asyncio.to_thread(first_line, pipe))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return process

    process = result_of(leave())
    ended = threading.Event()
    while Path(f"/proc/{process}").exists() and not ended.wait(0.05):
        pass
    assert result_of(decoder.run(ME, number, 7)) == b"7"


def test_calls_wait_for_calls_of_the_same_user_only(decoder: Decoder, tmp_path: Path) -> None:
    pipe = pipe_in(tmp_path)

    async def crowd() -> list[Any]:
        hanging = asyncio.create_task(decoder.run(ME, hang, pipe))
        await asyncio.to_thread(first_line, pipe)
        more = [asyncio.create_task(decoder.run(ME, number, i)) for i in range(USER_LIMIT - 1)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequestsError, match="waiting to be opened"):
            await decoder.run(ME, number, 0)
        other = await decoder.run(SHE, number, 5)
        assert not any(task.done() for task in more)
        hanging.cancel()
        return [other, *await asyncio.gather(*more)]

    answers = result_of(crowd())
    assert answers == [b"5", *(number(i) for i in range(USER_LIMIT - 1))]


REFUSED = [
    (with_scans(100), "it is a JPEG with 100 scans, more than 64, the limit for one image"),
    (picture((9, 9, 9))[:-30], "it is truncated: the file ends in the middle of the image"),
    (b"%PDF-1.7", "it is a PDF file, not a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF image"),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED)
def test_a_file_is_refused_with_the_same_sentence_everywhere(
    studio: Studio, client: TestClient, content: bytes, reason: str
) -> None:
    sentence = f"This image can't be used: {reason}."
    dataset = samples(studio, "pets")[0].dataset_id
    for path in ("/predict/1", "/api/v1/runs/1/predict", f"/explore/{dataset}/search-image"):
        answer = client.post(path, content=content)
        assert (answer.status_code, answer.json()["error"]) == (400, sentence)
    assert not [path for path in studio.settings.uploads.iterdir() if path.suffix == ".part"]


def test_what_is_checked_is_what_an_import_would_store(studio: Studio) -> None:
    async def stored(content: bytes) -> bytes:
        async with image_of(studio, content) as path:
            await check_image(studio, ME, path)
            return path.read_bytes()

    noted = picture((5, 5, 5))
    noted = noted[:33] + b"\0\0\0\4tEXthome\xad\x06\xe2\xb3" + noted[33:]
    assert b"home" not in result_of(stored(noted))


def test_stored_images_beyond_the_limits_are_not_opened(tmp_path: Path) -> None:
    """They may be older than the limit."""
    path = tmp_path / "stored.png"
    path.write_bytes(picture((1, 2, 3), 300))
    strict = Limits(max_pixels=100)
    for show in (partial(thumbnail, path), partial(corrupted_copy, path, "fog", 1)):
        assert show(Limits())
        with pytest.raises(InputError, match="it has 300×300 pixels, more than 100"):
            show(strict)


@pytest.mark.parametrize(
    ("kind", "mode", "orientation"),
    [("jpg", "RGB", 6), ("jpg", "RGB", 1), ("png", "RGBA", 6), ("png", "L", 1), ("webp", "RGB", 6)],
)
def test_small_copies_are_upright(tmp_path: Path, kind: str, mode: str, orientation: int) -> None:
    wide = Image.new("RGB", (400, 200), "red")
    wide.paste("blue", (200, 0, 400, 200))
    exif = Image.Exif()
    exif[0x0112] = orientation  # 6: shown after a quarter turn
    path = tmp_path / f"stored.{kind}"
    wide.convert(mode).save(path, exif=exif)
    for content in (thumbnail(path, Limits()), corrupted_copy(path, "contrast", 1, Limits())):
        size = Image.open(io.BytesIO(content)).size
        assert size == ((64, 128) if orientation == 6 else (128, 64))


def test_a_damaged_stored_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stored.png"
    path.write_bytes(picture((1, 2, 3), 300)[:-60])
    for show in (partial(thumbnail, path), partial(corrupted_copy, path, "fog", 1)):
        with pytest.raises(InputError, match="This image can't be shown"):
            show(Limits())


def test_no_server_code_opens_pixels() -> None:
    root = Path(__file__).resolve().parents[2] / "app"
    found = [path.name for path in root.rglob("*.py") if "PIL" in path.read_text()]
    assert found == []
