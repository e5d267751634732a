"""From a stored image file to the uint8 pixels that an encoder takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vecaf.errors import InputError, UnreadableImageError

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE_STEP = 32  # strides of convolutional networks and patches of 16 and 32 divide it
MIN_IMAGE_SIZE = 96  # below this, ImageNet networks end in a feature map of 2 by 2 or less


@dataclass(frozen=True)
class Preprocessing:
    """How an encoder wants its images; timm's and open_clip's words.

    image_size: side of the square input, pixels. mean, std: of channels scaled to [0, 1].
    interpolation: nearest, bilinear, bicubic or lanczos. crop: side of the centre crop as a
    share of the image's short side. squash: ignore the aspect ratio instead of cropping to it.
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    crop: float = 1.0
    squash: bool = False

    def at_size(self, image_size: int | None) -> Preprocessing:
        """The same at another size (None keeps it). Raises InputError below 16 pixels."""
        if image_size is None or image_size == self.image_size:
            return self
        if image_size < 16:
            raise InputError(f"The image size is {image_size}; it must be at least 16 pixels.")
        return replace(self, image_size=image_size)


def choose_image_size(native: int, short_sides: npt.ArrayLike) -> int:
    """The side at which to embed a dataset: large enough for its images and no larger.

    The smallest multiple of 32 that is ≥ min(native, max(96, median of short_sides)), with
    native the size that the encoder was trained at and short_sides (n,) in pixels. CIFAR-10
    (32 px) gives 96, photos give 224. Upscaling small images costs time and adds nothing.
    Raises InputError when short_sides is empty.
    """
    sides = np.asarray(short_sides)
    if sides.size == 0:
        raise InputError("An image size cannot be chosen for no images; add images first.")
    wanted = min(native, max(MIN_IMAGE_SIZE, int(np.median(sides))))
    return -(-wanted // SIZE_STEP) * SIZE_STEP


def decode(path: Path) -> Image:
    """Read an image file as upright RGB.

    EXIF orientation is applied, of an animation the first frame counts, transparency is laid
    on white, 16-bit grays are scaled. Raises UnreadableImageError if the file is missing or
    broken.
    """
    from PIL import Image, ImageOps

    from vecaf.datasets.images import flat_rgb

    try:
        with Image.open(path) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            rgb = flat_rgb(image)
            return rgb.copy() if rgb is image else rgb  # the file behind `image` closes here
    except FileNotFoundError as error:
        raise UnreadableImageError(
            f"The image {path.name} is missing. Import its dataset again.", path
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).replace(str(path), path.name)
        raise UnreadableImageError(
            f"The image {path.name} cannot be read ({reason}). Import its dataset again.", path
        ) from error


def pixels(image: Image, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """Centre-crop and resize `image` (RGB) in one step; (image_size, image_size, 3), uint8.

    Cropping by the resampling box reads only what is kept; it equals timm's resize, then
    crop, except that the box is not rounded to whole pixels.
    """
    from PIL.Image import Resampling

    width, height = image.size
    keep_x, keep_y = width * preprocessing.crop, height * preprocessing.crop
    if not preprocessing.squash:
        keep_x = keep_y = min(keep_x, keep_y)
    left, top = (width - keep_x) / 2, (height - keep_y) / 2
    size = preprocessing.image_size
    resized = image.resize(
        (size, size),
        Resampling[preprocessing.interpolation.upper()],
        box=(left, top, left + keep_x, top + keep_y),
    )
    return np.asarray(resized)
