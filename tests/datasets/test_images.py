"""Stored images decode to the uploaded pixels and contain no metadata."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from tests.datasets.pictures import packed, pixels, run_length_bmp, with_scans
from tests.examples import examples
from vecaf.datasets.images import check, flat_rgb, open_image
from vecaf.datasets.import_report import Refused
from vecaf.settings import Limits

LIMITS = Limits()
GPS = b"somewhere private"


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def same_pixels(one: bytes, other: bytes) -> bool:
    a, b = opened(one), opened(other)
    mode = "RGBA" if a.has_transparency_data else a.mode
    return np.array_equal(np.asarray(a.convert(mode)), np.asarray(b.convert(mode)))


def with_exif(kind: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = GPS.decode()  # description
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)  # GPS latitude
    extra: dict[str, object] = {}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", GPS.decode())
        info.add_itxt("XML:com.adobe.xmp", GPS.decode())
        extra["pnginfo"] = info
    else:
        extra["xmp"] = GPS
    if kind == "JPEG":
        extra["comment"] = GPS
    if kind == "WEBP":
        extra["lossless"] = True
    image = pixels(1).crop((0, 0, 24, 12))
    return packed(image, kind, exif=exif, icc_profile=b"profile" * 20, **extra)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_the_orientation_is_kept(kind: str, orientation: int) -> None:
    content = with_exif(kind, orientation)
    assert GPS in content or kind == "PNG"  # PNG compresses some texts
    stored = check(content, LIMITS)
    assert GPS not in stored.content
    assert same_pixels(content, stored.content)
    image = opened(stored.content)
    assert image.info["icc_profile"] == b"profile" * 20
    assert set(image.getexif()) == ({0x0112} if orientation != 1 else set())
    assert not image.getexif().get_ifd(0x8825)
    upright = ImageOps.exif_transpose(opened(content))
    assert upright.size == (stored.width, stored.height)
    assert np.array_equal(np.asarray(upright), np.asarray(ImageOps.exif_transpose(image)))


def test_thumbnail_is_upright() -> None:
    tall = Image.new("RGB", (400, 200), "red")
    tall.paste("blue", (200, 0, 400, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated clockwise when shown: red at the top, blue at the bottom
    thumb = check(packed(tall, "JPEG", exif=exif), LIMITS).thumb
    assert thumb is not None
    shown = opened(thumb)
    assert shown.size == (64, 128)
    red, _, blue = shown.getpixel((32, 10))  # type: ignore[misc]
    assert red > 200 > 50 > blue
    assert not shown.getexif()


def test_mpo_is_stored_as_its_first_jpeg() -> None:
    content = packed(pixels(1), "MPO", save_all=True, append_images=[pixels(2)])
    assert opened(content).format == "MPO"
    stored = check(content, LIMITS)
    assert (opened(stored.content).format, stored.extension) == ("JPEG", ".jpg")
    assert same_pixels(content, stored.content)
    assert len(stored.content) < len(content) * 0.7


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP", "PNG"])
def test_the_first_frame_of_animations_is_stored(kind: str) -> None:
    more = {} if kind == "BMP" else {"save_all": True, "append_images": [pixels(2), pixels(3)]}
    if kind == "WEBP":
        more["lossless"] = True
    content = packed(pixels(1), kind, **more)
    stored = check(content, LIMITS)
    assert (stored.extension, opened(stored.content).format) == (".png", "PNG")
    assert getattr(opened(stored.content), "n_frames", 1) == 1
    assert np.array_equal(
        np.asarray(opened(content).convert("RGB")),
        np.asarray(opened(stored.content).convert("RGB")),
    )


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P"), ("PNG", "1"), ("PNG", "LA"),
        ("PNG", "RGBA"), ("PNG", "I;16"), ("WEBP", "RGBA"),
    ],
)  # fmt: skip
def test_unusual_modes_are_stored_unchanged(kind: str, mode: str) -> None:
    image = pixels(1, 200, mode) if mode != "I;16" else Image.fromarray(
        np.arange(40_000, dtype=np.uint16).reshape(200, 200)
    )  # fmt: skip
    content = packed(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    stored = check(content, LIMITS)
    assert same_pixels(content, stored.content)
    assert stored.thumb is not None
    assert opened(stored.thumb).size == (128, 128)


def test_progressive_and_restart_markers() -> None:
    for options in ({"progressive": True}, {"restart_marker_blocks": 1}, {"subsampling": 0}):
        content = packed(pixels(1, 64), "JPEG", **options)
        assert same_pixels(content, check(content, LIMITS).content)


def test_16_bit_gray_is_scaled_and_transparency_is_white() -> None:
    gray = Image.fromarray(np.full((4, 4), 0x8080, dtype=np.uint16))
    assert flat_rgb(gray).getpixel((0, 0)) == (128, 128, 128)
    assert flat_rgb(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_truncated_images_are_refused(kind: str) -> None:
    content = packed(pixels(1, 64), kind)
    for cut in (len(content) // 4, len(content) // 2, len(content) - 3):
        with pytest.raises(Refused):
            check(content[:cut], LIMITS)
    with pytest.raises(Refused, match="truncated"):
        check(packed(pixels(1, 64), "JPEG")[:-3], LIMITS)


@cache
def bit_png(width: int, height: int) -> bytes:
    """Return a valid one-bit PNG whose blank pixels compress to almost nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))
        )

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row * 500) for _ in range(height // 500)) + packer.flush()
    header = struct.pack(">2L5B", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_an_image_of_2_500_000_000_pixels_is_refused_without_decoding() -> None:
    content = bit_png(50_000, 50_000)
    assert len(content) < 2**20
    with pytest.raises(Refused, match="pixels"):
        check(content, LIMITS)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_pillows_bomb_warning_is_an_error() -> None:
    with pytest.raises(Refused, match=r"10,000×9,000 pixels, more than 89,"):
        check(bit_png(10_000, 9_000), LIMITS)
    with pytest.raises(Refused, match=r"more than 1,000, the limit"):
        check(packed(pixels(1, 64), "PNG"), Limits(max_pixels=1000))


def test_scans_of_a_jpeg_are_limited() -> None:
    few = with_scans(20)
    assert same_pixels(few, check(few, LIMITS).content)
    many = with_scans(100)
    opened(many)  # the file is valid
    for refuse in (check, open_image):
        with pytest.raises(Refused, match="JPEG with 100 scans, more than 64"):
            refuse(many, LIMITS)


def test_scans_times_pixels_are_limited() -> None:
    limits = Limits(max_scanned_pixels=20 * 24 * 24)
    check(with_scans(20), limits)
    with pytest.raises(Refused, match=r"21 scans of 24×24 pixels each.*at most 11,520"):
        check(with_scans(21), limits)
    check(packed(pixels(1, 200), "JPEG"), limits)  # with one scan, only max_pixels applies


@pytest.mark.parametrize(("width", "height"), [(1, 1000), (120_500, 500)])
def test_extreme_aspect_ratios_are_refused(width: int, height: int) -> None:
    content = bit_png(width, height)
    for refuse in (check, open_image):
        with pytest.raises(Refused, match="at most 200 times its shorter side"):
            refuse(content, LIMITS)


def test_a_file_of_a_million_parts_is_refused() -> None:
    comment = b"\xff\xfe\0\2"
    jpeg = packed(pixels(1), "JPEG")
    with pytest.raises(Refused, match="more than 100,000 segments"):
        check(jpeg[:2] + comment * 1_000_000 + jpeg[2:], LIMITS)
    png = packed(pixels(1), "PNG")
    empty = b"\0\0\0\0teXt" + struct.pack(">L", zlib.crc32(b"teXt"))
    with pytest.raises(Refused, match="more than 100,000 segments"):
        check(png[:33] + empty * 1_000_000 + png[33:], LIMITS)


def test_a_large_run_length_bmp_is_refused() -> None:
    assert check(run_length_bmp(60, 40), LIMITS).width == 60
    with pytest.raises(Refused, match="run-length encoded BMP"):
        check(run_length_bmp(4000, 2001), LIMITS)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"\xef\xbb\xbf <!DOCTYPE html><script>", "HTML"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"II+\0" + b"\0" * 60, "BigTIFF"),
        (b"PK\3\4" + b"\0" * 60, "ZIP"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 60, "video"),
        (packed(pixels(1), "ICO"), "icon"),
        (b"BM hello", "it is not a JPEG"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_other_formats_are_refused_by_name(content: bytes, word: str) -> None:
    with pytest.raises(Refused, match=word):
        check(content, LIMITS)


PICTURES = [
    packed(pixels(1, 16), kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF")
]
PICTURES += [with_exif(kind, 6) for kind in ("JPEG", "PNG", "WEBP")]


@examples(400)
@given(st.sampled_from(PICTURES), st.data())
def test_damaged_images_are_refused_or_harmless(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content) - 1))
    junk = data.draw(st.binary(max_size=8))
    damaged = content[:at] + junk + content[at + data.draw(st.integers(0, 8)) :]
    try:
        stored = check(damaged, LIMITS)
    except Refused as error:
        assert str(error)
        return
    assert GPS not in stored.content
    again = check(stored.content, LIMITS)
    assert (again.width, again.height) == (stored.width, stored.height)
    assert again.content == stored.content
