"""Corruptions at every severity and size: the effect grows with severity and is reproducible."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vecaf.errors import InputError
from vecaf.evaluation.corruptions.imagenet_c import CORRUPTIONS, Level, corrupt
from vecaf.evaluation.corruptions.matching import NAMES, SEVERITIES, matching_corruption
from vecaf.evaluation.corruptions.textures import MAX_SIDE, clouds, ice_crystals, plasma

SIZES = {"small": (32, 32), "wide": (96, 60), "native": (224, 224)}


def scene(size: tuple[int, int]) -> Image.Image:
    """Create an image with colors, edges and a gradient."""
    width, height = size
    ramp = np.linspace(60, 200, width)[None, :, None] * np.ones((height, 1, 3))
    ramp[:, :, 2] *= 0.6
    image = Image.fromarray(ramp.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.ellipse((width // 5, height // 5, width // 2, height * 3 // 4), fill=(200, 40, 30))
    pen.rectangle((width * 3 // 5, height // 3, width * 4 // 5, height * 2 // 3), fill=(20, 60, 90))
    return image


def change(image: Image.Image, name: str, severity: int) -> float:
    before, after = (np.asarray(one, float) for one in (image, corrupt(image, name, severity)))
    return float(np.abs(before - after).mean())


def test_the_names_are_those_of_imagenet_c() -> None:
    assert tuple(CORRUPTIONS) == NAMES and len(NAMES) == 15


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_corruption_changes_pixels_and_the_highest_severity_changes_most(
    name: str, size: tuple[int, int]
) -> None:
    image = scene(size)
    for severity in SEVERITIES:
        after = corrupt(image, name, severity)
        assert after.size == image.size and after.mode == "RGB"
    mild, worst = change(image, name, 1), change(image, name, 5)
    assert worst > 0.5
    # ImageNet-C combines strong shear with small waves at low severities of elastic_transform.
    assert worst > mild or name == "elastic_transform"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_pixels(name: str) -> None:
    image = scene((48, 48))
    assert corrupt(image, name, 3).tobytes() == corrupt(image, name, 3).tobytes()
    random = {"gaussian_noise", "shot_noise", "impulse_noise", "fog", "snow", "frost", "glass_blur"}
    if name in random:
        assert corrupt(image, name, 3, seed=1).tobytes() != corrupt(image, name, 3).tobytes()


def test_large_images_are_resized_to_224_pixels() -> None:
    assert corrupt(scene((640, 480)), "fog", 2).size == (299, 224)


def test_small_images_use_the_parameters_of_cifar_10_c() -> None:
    level = Level(5, 32, np.random.default_rng(0))
    large = Level(5, 224, np.random.default_rng(0))
    assert level.of([0] * 5, [2] * 5) == 2
    assert large.of([1] * 5, [2] * 5) == 1
    assert (level.scale, large.scale, Level(1, 112, level.rng).scale) == (1, 1, 0.5)
    assert change(scene((64, 64)), "gaussian_noise", 5) < change(
        scene((80, 80)), "gaussian_noise", 5
    )


def test_results_match_values_computed_by_hand() -> None:
    gray = Image.new("RGB", (128, 128), (128, 128, 128))
    assert np.unique(np.asarray(corrupt(gray, "contrast", 5))).tolist() == [128]
    assert np.asarray(corrupt(gray, "brightness", 2))[0, 0].tolist() == [179] * 3  # + 0.2
    noisy = np.asarray(corrupt(gray, "gaussian_noise", 1), float) / 255
    assert noisy.std() == pytest.approx(0.08, rel=0.03)
    flipped = np.asarray(corrupt(gray, "impulse_noise", 4))
    assert np.isin(flipped, (0, 255)).mean() == pytest.approx(0.17, abs=0.01)
    shots = np.asarray(corrupt(gray, "shot_noise", 1), float) / 255
    assert shots.std() == pytest.approx((128 / 255 / 60) ** 0.5, rel=0.05)
    half = np.asarray(corrupt(scene((100, 100)), "pixelate", 4))
    assert (half[:3, :3] == half[0, 0]).all()  # 30 of 100 pixels per side: blocks of three


def test_unknown_names_and_severities_are_explained() -> None:
    with pytest.raises(InputError, match="did you mean fog"):
        corrupt(scene((32, 32)), "fogg", 1)
    with pytest.raises(InputError, match="from 1 to 5"):
        corrupt(scene((32, 32)), "fog", 6)


def test_textures_cover_the_range_from_0_to_1_at_any_size() -> None:
    rng = np.random.default_rng(0)
    for side in (2, 33, 224):
        cloud = plasma(side, 2.0, rng)
        assert cloud.shape[0] >= side and (cloud.min(), cloud.max()) == (0, 1)
    rough, smooth = (plasma(128, decay, np.random.default_rng(1)) for decay in (1.3, 3.0))
    assert np.abs(np.diff(rough)).mean() > 3 * np.abs(np.diff(smooth)).mean()
    cloud = plasma(224, 2.0, rng)[:224, :224]
    assert np.abs(np.diff(cloud, axis=0)).mean() < 0.004  # ImageNet-C: 0.0025
    ice = ice_crystals(40, 70, rng)
    assert ice.shape == (40, 70, 3) and ice.min() >= 0 and ice.max() <= 1
    rim = np.ones((40, 70), bool)
    rim[8:-8, 14:-14] = False
    assert ice[rim].mean() > ice[~rim].mean()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("in thick fog", "fog"), ("on a Snowy day", "snow"), ("covered in ice", "frost"),
        ("out of focus", "defocus_blur"), ("at night", "contrast"),
        ("a grainy photo of", "gaussian_noise"),
        ("a cartoon of a", None), ("with rice", None), ("", None),
    ],
)  # fmt: skip
def test_descriptions_match_a_corruption(words: str, name: str | None) -> None:
    assert matching_corruption(words) == name


def test_clouds_repeat_without_a_seam_on_long_images() -> None:
    """A square map of this width would need 34 GB."""
    strip = clouds(8, 44_800, 2.0, np.random.default_rng(0))
    assert strip.shape == (8, 44_800)
    assert np.array_equal(strip[:, :MAX_SIDE], strip[:, MAX_SIDE : 2 * MAX_SIDE])
    seam = np.abs(strip[:, MAX_SIDE] - strip[:, MAX_SIDE - 1]).max()
    assert seam <= np.abs(np.diff(strip[:, :MAX_SIDE], axis=1)).max()
    small = clouds(30, 200, 2.0, np.random.default_rng(0))
    assert np.array_equal(small, plasma(200, 2.0, np.random.default_rng(0))[:30, :200])
