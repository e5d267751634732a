"""The color of each class: the same on every page, and the same as in class_colors.js."""

from __future__ import annotations

import colorsys

TEN = (
    "#4269d0", "#e8a20c", "#f2614b", "#45b5a0", "#3ca951",
    "#f07aa8", "#a463f2", "#74a5ee", "#9c6b4e", "#7f8792",
)  # fmt: skip
GRAY = "#8d8a84"
GOLDEN_ANGLE, SATURATION, SHADES = 137.508, 0.58, (0.5, 0.64, 0.4)


def class_color(label: int) -> str:
    """Return the color of a class as "#rrggbb"; gray for a negative label, that is, none.

    Beyond ten classes: hues a golden angle apart, in three shades.
    """
    if label < 0:
        return GRAY
    if label < len(TEN):
        return TEN[label]
    hue = label * GOLDEN_ANGLE % 360 / 360
    parts = colorsys.hls_to_rgb(hue, SHADES[label % 3], SATURATION)
    return "#" + "".join(f"{int(255 * part + 0.5):02x}" for part in parts)
