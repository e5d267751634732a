"""The code uses the words of the glossary, and no Python string holds HTML."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TAGS = (
    "a b body br button circle code details div footer form g h1 h2 h3 head header html i iframe "
    "img input label li line link main meta nav ol option p path polygon polyline pre rect script "
    "section select small span strong style summary svg table tbody td text th thead title tr ul"
)
NAMES = "|".join(TAGS.split())
TAG = re.compile(rf"</?(?:{NAMES})(?:\s[^<>]*)?/?>|<(?:{NAMES})\s+[\w-]+=", re.I)
REMOVED = (
    "anew bought buried bury cancelled cancelling centre centred colour coloured colours companion "
    "companions crew desk door gate grey ground labelled labelling leg legs neighbour neighbours "
    "pick picked picking picks shelf shelves speechless studied thereby twin twins whoever"
)
PERSISTED = {
    # Names that earlier versions stored, where they are read.
    "app/explore/findings.js": "neighbours",
    "app/shell/address.js": "colour pick",
    "app/shell/address.py": "colour pick",
    "vecaf/config_checks.py": "picks",
    "vecaf/export/receipt.py": "picks",
    "vecaf/selection/option_checks.py": "neighbours",
    "vecaf/store/migrations/versions/0008_training_images.py": "picks",
    "vecaf/tasks/select_images.py": "picks",
    # Fields of Label Studio's format.
    "vecaf/datasets/formats/label_studio.py": "cancelled ground",
    # A field of FiftyOne's datasets.
    "vecaf/notebook/fiftyone.py": "ground",
}
"""Removed words that stay, by file."""
SUFFIXES = {".css", ".html", ".js", ".py"}
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("app", "vecaf")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in SUFFIXES
]


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of all strings that are not docstrings."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


def words(text: str) -> set[str]:
    """Return the words of a text or identifier: `pickedRows` has "picked" and "rows"."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}


@pytest.mark.parametrize("folder", ["app", "vecaf"])
def test_no_python_string_holds_html(folder: str) -> None:
    found = [
        f"{name}:{line}: {text}"
        for name in FILES
        if name.startswith(folder) and name.endswith(".py")
        for line, text in strings(ast.parse((ROOT / name).read_text()))
        if TAG.search(text)
    ]
    assert not found, "Move the HTML to a Jinja2 template."


def test_removed_words_do_not_return() -> None:
    removed = set(REMOVED.split())
    found = {name: words((ROOT / name).read_text()) & removed for name in FILES}
    stay = {name: set(text.split()) for name, text in PERSISTED.items()}
    assert {name: kept for name, kept in found.items() if kept} == stay
