"""The pages of the documentation as data: their headings, links, tables and code blocks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BENCHMARKS = ROOT / "benchmarks" / "README.md"
PROJECTION = ROOT / "tools" / "projection" / "README.md"
DEPLOY = ROOT / "deploy" / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
OTHERS = (CONTRIBUTING, BENCHMARKS, PROJECTION, DEPLOY)
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")), *OTHERS)

NOT_RUN = "not run: "  # the comment before a block that no test can run, with the reason
WITH_STUDIO = "run with a studio"  # the comment before a block that needs a running server

_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->")


@dataclass(frozen=True)
class Block:
    """A fenced or indented block; `note` is the comment on the line before it."""

    line: int
    language: str
    code: str
    note: str = ""


@dataclass
class Table:
    """A table's rows as text, its header first; `section` is the heading above it."""

    section: str
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Page:
    """One Markdown file. `links`: targets as written; `phrases`: inline code."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


@cache
def read(path: Path) -> Page:
    """Parse a Markdown file as GitHub does."""
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    page, seen = Page(path), Counter[str]()
    section, note = "", ""
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            section = _text(tokens[index + 1])
            anchor = _anchor(section)
            page.anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
        elif token.type == "table_open":
            page.tables.append(Table(section))
        elif token.type == "tr_open":
            page.tables[-1].rows.append([])
        elif token.type in ("th_open", "td_open"):
            page.tables[-1].rows[-1].append(_text(tokens[index + 1]))
        elif token.type in ("fence", "code_block"):
            line = token.map[0] + 1 if token.map else 0
            page.blocks.append(Block(line, token.info, token.content, note))
        elif token.type == "inline":
            page.links += _links(token)
            page.phrases += [one.content for one in token.children or () if _is_code(one)]
        found = _COMMENT.search(token.content) if token.type == "html_block" else None
        note = found[1] if found else ""
    return page


def blocks(language: str) -> Iterator[tuple[Page, Block]]:
    """Return every block in a language, in the order of the pages."""
    for path in PAGES:
        page = read(path)
        yield from ((page, block) for block in page.blocks if block.language == language)


def _text(token: Token) -> str:
    return "".join(
        one.content for one in token.children or () if one.type in ("text", "code_inline")
    )


def _is_code(token: Token) -> bool:
    return token.type == "code_inline"


def _links(token: Token) -> Iterator[str]:
    for one in token.children or ():
        target = one.attrGet("href") or one.attrGet("src")
        if target:
            yield str(target)


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
