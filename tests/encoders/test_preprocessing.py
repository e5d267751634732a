"""Decoding, cropping and the choice of an image size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from timm.data.transforms_factory import create_transform

from tests.encoders.samples import draw
from vecaf.encoders import Preprocessing, choose_image_size
from vecaf.encoders.preprocessing import decode, pixels
from vecaf.errors import InputError

HALF = (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("native", "sides", "size"),
    [
        (224, [32] * 9, 160),
        (224, [96] * 9, 96),
        (224, [227] * 9, 224),
        (224, [170, 170, 900], 192),
        (64, [32], 64),
        (260, [500], 260),
    ],
)
def test_choose_image_size(native: int, sides: list[int], size: int) -> None:
    assert choose_image_size(native, sides) == size


def test_choose_image_size_of_nothing() -> None:
    with pytest.raises(InputError, match="Add images"):
        choose_image_size(224, [])


TURNED = {  # EXIF orientation → how a camera stores an upright picture with it
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}


@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = draw(1, 64, 40)
    stored = upright.transpose(TURNED[orientation][0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(decode(tmp_path / "a.png")), np.asarray(upright))


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 1), (255, 0, 0, 255))
    image.save(tmp_path / "a.png")
    seen = np.asarray(decode(tmp_path / "a.png"))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[1, 1].tolist() == [255, 0, 0]


def test_sixteen_bit_gray_is_scaled(tmp_path: Path) -> None:
    gray = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(gray).save(tmp_path / "a.png")
    seen = np.asarray(decode(tmp_path / "a.png"))
    assert np.array_equal(seen[..., 0], np.round(gray / 257))  # 65535 becomes 255


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_other_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    draw(2).convert(mode).save(path)
    image = decode(path)
    assert image.mode == "RGB"
    assert np.asarray(image).std() > 1


def test_broken_and_missing_files(tmp_path: Path) -> None:
    draw(3).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.jpg").write_text("not an image")
    for name, words in (("cut.jpg", "truncated"), ("text.jpg", "can't"), ("no.jpg", "missing")):
        with pytest.raises(InputError, match=words):
            decode(tmp_path / name)


@pytest.mark.parametrize(("width", "height"), [(500, 375), (333, 400), (300, 300)])
def test_pixels_equal_those_of_timm(width: int, height: int) -> None:
    image = draw(4, width, height)
    transform = create_transform(
        (3, 224, 224), interpolation="bicubic", crop_pct=0.875, mean=(0, 0, 0), std=(1, 1, 1)
    )
    timms = transform(image).permute(1, 2, 0).numpy() * 255
    ours = pixels(image, Preprocessing(224, HALF, HALF, "bicubic", 0.875))
    assert ours.shape == (224, 224, 3)
    # Rounding by half a pixel affects only the edges of the shapes.
    assert np.abs(ours - timms).mean() < 2


def test_squash_keeps_the_whole_image() -> None:
    image = Image.new("RGB", (200, 100), "black")
    image.paste("white", (0, 0, 20, 100))
    squashed = pixels(image, Preprocessing(100, HALF, HALF, squash=True))
    cropped = pixels(image, Preprocessing(100, HALF, HALF))
    assert squashed[50, 3].min() > 250
    assert cropped.max() == 0
