"""TIFF, HEIC and AVIF files are stored as PNG files with the same pixels."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.datasets.pictures import packed, pixels
from vecaf.datasets.images import check, open_image
from vecaf.datasets.import_report import Refused
from vecaf.settings import Limits

LIMITS = Limits()


def decoded(content: bytes) -> NDArray[np.uint8]:
    """Return the upright RGB pixels of a file, as Pillow decodes them."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret place"
    return exif


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "HEIF"])
def test_a_stored_image_has_the_pixels_of_the_upload(kind: str, turned: bool) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    options = {"exif": rotated()} if turned else {}
    content = packed(pixels(3, 40).crop((0, 0, 40, 30)), kind, **options)
    stored = check(content, LIMITS)
    wanted = decoded(content)
    assert (stored.extension, (stored.height, stored.width)) == (".png", wanted.shape[:2])
    assert np.array_equal(decoded(stored.content), wanted)
    assert b"secret" not in stored.content
    assert check(stored.content, LIMITS).content == stored.content


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_modes_of_tiff(mode: str) -> None:
    image = Image.new("I;16", (20, 10), 40_000) if mode == "I;16" else pixels(1).convert(mode)
    stored = check(packed(image, "TIFF"), LIMITS)
    with open_image(stored.content, LIMITS) as opened:
        if mode == "I;16":
            assert np.asarray(opened).max() == 40_000
        else:
            assert np.array_equal(
                np.asarray(opened.convert("RGB")), np.asarray(image.convert("RGB"))
            )


def test_the_first_page_of_a_tiff() -> None:
    pages = packed(pixels(1), "TIFF", save_all=True, append_images=[pixels(2)])
    assert check(pages, LIMITS).content == check(packed(pixels(1), "TIFF"), LIMITS).content


def test_pixels_without_an_equivalent_are_refused() -> None:
    deep = Image.fromarray(np.full((4, 4), 100_000, dtype=np.int32))
    with pytest.raises(Refused, match="32-bit"):
        check(packed(deep, "TIFF"), LIMITS)
    with pytest.raises(Refused, match="'F'"):
        check(packed(Image.new("F", (4, 4)), "TIFF"), LIMITS)


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "HEIF"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    content = packed(pixels(3, 64), kind)
    for share in (0.2, 0.6, 0.95):
        with pytest.raises(Refused):
            check(content[: int(share * len(content))], LIMITS)


def test_heic_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from vecaf.datasets import conversion

    conversion._heif_decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refused, match="pip install pillow-heif"):
        check(b"\0\0\0\x18ftypheic" + bytes(60), LIMITS)
    conversion._heif_decoder.cache_clear()
