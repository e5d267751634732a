"""From an image file to the uint8 pixels of an encoder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecaf.encoders.views import PLAIN
from vecaf.errors import InputError, UnreadableImageError

if TYPE_CHECKING:
    from PIL.Image import Image

REMEDY = "Import the same images again as a new dataset, or restore a backup."
SIZE_STEP = 32  # divisible by strides of convolutional networks and by patches of 16 and 32
SMALL_IMAGE, ENLARGED = 96, 160  # pixels; images below the first are enlarged to the second


@dataclass(frozen=True)
class Preprocessing:
    """The input of an encoder, in the terms of timm and open_clip.

    Attributes
    ----------
    image_size
        Side of the square input in pixels.
    mean, std
        Of channels scaled to [0, 1].
    interpolation
        nearest, bilinear, bicubic or lanczos.
    crop
        Side of the center crop as a share of the image's short side.
    squash
        Resize without keeping the aspect ratio, in place of a crop.
    views
        Views of each image whose features are combined; see `views`.
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    crop: float = 1.0
    squash: bool = False
    views: str = PLAIN

    def at_size(self, image_size: int | None) -> Preprocessing:
        """Return a copy with another size; None keeps it. Raises InputError below 16 pixels."""
        if image_size is None or image_size == self.image_size:
            return self
        if image_size < 16:
            raise InputError(f"The image size is {image_size}. Use at least 16 pixels.")
        return replace(self, image_size=image_size)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields. Plain views are left out, as in files of earlier versions."""
        found = asdict(self)
        if self.views == PLAIN:
            del found["views"]
        return found


def choose_image_size(native: int, short_sides: npt.ArrayLike) -> int:
    """Choose the side at which a dataset is embedded: large enough for its images, but no larger.

    It is the smallest multiple of 32 that is at least the median of short_sides, and at most
    native. Images below 96 px (CIFAR-10 has 32) are enlarged to 160, which makes a classifier 2.7
    points more accurate than 96, and takes twice as long (`python -m benchmarks.views`).

    Parameters
    ----------
    native
        The size that the encoder was trained at, in pixels.
    short_sides
        Short side of each image in pixels, shape (n,).

    Raises
    ------
    InputError
        If `short_sides` is empty.
    """
    sides = np.asarray(short_sides)
    if sides.size == 0:
        raise InputError("There are no images to choose an image size for. Add images first.")
    median = int(np.median(sides))
    wanted = ENLARGED if median < SMALL_IMAGE else median
    return min(native, -(-wanted // SIZE_STEP) * SIZE_STEP)


def decode(path: Path) -> Image:
    """Read an image file as upright RGB.

    EXIF orientation is applied, animations give their first frame, transparent pixels become white,
    and 16-bit grays are scaled. Raises UnreadableImageError if the file is missing or damaged.
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
        raise UnreadableImageError(f"The image {path.name} is missing. {REMEDY}", path) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).replace(str(path), path.name)
        raise UnreadableImageError(
            f"The image {path.name} can't be read ({reason}). {REMEDY}", path
        ) from error


def pixels(image: Image, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """Crop the center of an RGB image and resize it in one step: uint8 (image_size, image_size, 3).

    The result equals timm's resize and crop, except that the box isn't rounded to whole pixels.
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
