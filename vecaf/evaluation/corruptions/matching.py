"""Names of the corruptions, and matching of a target domain's description to one of them.

This module is separate from `imagenet_c` so that a page can list the names without loading scipy.
"""

from __future__ import annotations

import re

NAMES = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate",
    "jpeg_compression",
)  # fmt: skip
SEVERITIES = (1, 2, 3, 4, 5)

_PATTERNS = (
    ("fog", r"fog|mist|haz[ey]|smok"),
    ("snow", r"snow|blizzard|sleet"),
    ("frost", r"frost|\bic[ey]\b|frozen|winter|rain"),
    ("motion_blur", r"motion|moving|shak|fast|speed"),
    ("zoom_blur", r"zoom"),
    ("glass_blur", r"glass|\bwet\b"),
    ("defocus_blur", r"blur|focus|soft"),
    ("brightness", r"bright|sun|glare|overexpos"),
    ("contrast", r"dark|night|dusk|dawn|dim|contrast|faint|washed|faded"),
    ("gaussian_noise", r"nois|grain|low light"),
    ("pixelate", r"pixel|low[- ]res|thumbnail|tiny|small|far away|distant"),
    ("jpeg_compression", r"jpe?g|compress|artefact|artifact"),
    ("elastic_transform", r"warp|distort|wav[ey]|underwater|bent|melt"),
)


def matching_corruption(words: str) -> str | None:
    """Return the corruption that a description refers to, such as fog for "in thick fog".

    Returns
    -------
    str or None
        The first match in a fixed list of patterns; None if none matches.
    """
    text = words.lower()
    return next((name for name, pattern in _PATTERNS if re.search(rf"\b(?:{pattern})", text)), None)
