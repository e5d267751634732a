"""The documentation is correct: its examples run, its commands exist, and its links work."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from app.__main__ import _parser as server_parser
from tests.documentation import (
    BENCHMARKS,
    NOT_RUN,
    PAGES,
    README,
    ROOT,
    WITH_STUDIO,
    Block,
    Page,
    blocks,
    read,
)
from tests.shapes import write_shapes
from vecaf.commands.cli import app
from vecaf.settings import Settings

COMMANDS: Any = typer.main.get_command(app)
SERVER = "python -m app"
DOCS = [path for path in PAGES if path != BENCHMARKS]
IGNORED = {"--json", "--help"}  # every command has them
ASSIGNMENT = re.compile(r"[A-Z_]+=")


def by_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Examples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which examples run, with `image.jpg` and the exported model of a run."""
    import torch

    from vecaf.encoders import load_pvm
    from vecaf.export.predictor import export_model
    from vecaf.training.model import Head, build_classifier

    found = tmp_path_factory.mktemp("reader")
    ((image, _),) = write_shapes(found / "drawn", 1)
    image.rename(found / "image.jpg")
    pvm = load_pvm("efficientnet_lite0", 64)
    head = Head(torch.zeros(pvm.feature_dim), 3)
    classes = ["disc", "square", "stripes"]
    export_model(build_classifier(pvm, head), pvm, classes, found / "exported")
    return found


@pytest.mark.parametrize("path", PAGES, ids=by_name)
def test_python_examples_run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after the other in one namespace, as a reader would run them."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VECAF_HOME", str(folder / "home"))
    monkeypatch.setenv("VECAF_DEVICE", "cpu")
    names: dict[str, Any] = {}
    for block in read(path).blocks:
        if block.language != "python":
            continue
        where = f"{by_name(path)}, line {block.line}"
        program = compile("\n" * block.line + block.code, where, "exec")
        if not block.note:
            exec(program, names)


def test_only_explained_blocks_are_left_out() -> None:
    for language in ("python", "bash"):
        for page, block in blocks(language):
            reason = block.note.removeprefix(NOT_RUN)
            explained = block.note in ("", WITH_STUDIO) or (reason != block.note and reason)
            assert explained, f"{page.name}, line {block.line}: <!-- {block.note} -->"


# Commands


@dataclass(frozen=True)
class Line:
    """A command line of the documentation, without variables before it."""

    where: str
    words: tuple[str, ...]


def command_lines(page: Page, block: Block) -> Iterator[Line]:
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and ASSIGNMENT.match(words[0]):
            words.pop(0)
        if words:
            yield Line(f"{page.name}, line {block.line}: {line}", tuple(words))


def lines_of(path: Path) -> list[Line]:
    """Return the command lines of a page that a reader can type."""
    page = read(path)
    found = [
        line
        for block in page.blocks
        if block.language == "bash" and not block.note
        for line in command_lines(page, block)
    ]
    if path == BENCHMARKS:  # its other programs have their own parsers
        indented = [line for block in page.blocks for line in command_lines(page, block)]
        found += [line for line in indented if line.words[:3] == ("python", "-m", "vecaf")]
    return found


def parse(command: Any, words: list[str]) -> None:
    """Parse the words with the command's parser, without running the command."""
    with command.make_context(command.name, words) as context:
        if hasattr(command, "resolve_command"):
            rest = [*context._protected_args, *context.args]
            _, below, rest = command.resolve_command(context, rest)
            parse(below, rest)


@pytest.mark.parametrize("path", PAGES, ids=by_name)
def test_command_lines_are_accepted(path: Path) -> None:
    for line in lines_of(path):
        match line.words:
            case ("python", "-m", "vecaf", *rest):
                parse(COMMANDS, rest)
            case ("python", "-m", "app", *rest) | ("./run", *rest):
                server_parser().parse_args(rest)
            case ("./test", *_) | ("source", *_) | ("export", *_):
                pass  # shell built-ins
            case _:
                pytest.fail(f"{line.where}: mark the block with <!-- not run: why -->")


def subcommands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, one in getattr(command, "commands", {}).items():
        yield f"{path} {name}", one
        yield from subcommands(one, f"{path} {name}")


KNOWN = dict(subcommands(COMMANDS, "python -m vecaf"))


def options_of(command: Any) -> dict[str, tuple[bool, bool, Any]]:
    """Option → (required, flag, default), of a Typer command or an argparse parser."""
    if isinstance(command, argparse.ArgumentParser):
        return {
            action.option_strings[-1]: (action.required, action.nargs == 0, action.default)
            for action in command._actions
        }
    return {
        name: (one.required, one.is_flag, one.default)
        for one in command.params
        for name in one.opts
        if one.param_type_name == "option"
    }


@pytest.mark.parametrize("path", DOCS, ids=by_name)
def test_commands_in_sentences_exist(path: Path) -> None:
    """Check commands in text, such as `python -m vecaf user add NAME`. Ignore placeholders."""
    for phrase in read(path).phrases:
        found = re.search(r"python -m vecaf ([a-z].*)", phrase)
        if not found:
            continue
        words = shlex.split(found[1])
        name = next(
            (name for n in (2, 1) if (name := " ".join(["python -m vecaf", *words[:n]])) in KNOWN),
            None,
        )
        assert name, phrase
        named = {word.split("=")[0] for word in words if word.startswith("--")}
        assert named - IGNORED <= options_of(KNOWN[name]).keys(), phrase


def test_the_command_reference_lists_every_command() -> None:
    page = read(ROOT / "docs" / "command-line.md")
    documented = {
        line.words[3]
        for block in page.blocks
        for line in command_lines(page, block)
        if line.words[:3] == ("python", "-m", "vecaf")
    }
    assert documented - {"--as"} == COMMANDS.commands.keys()


def test_the_command_reference_names_options_and_their_defaults() -> None:
    page = read(ROOT / "docs" / "command-line.md")
    tables = [table for table in page.tables if table.rows[0] == ["option", "default", "meaning"]]
    assert tables
    for table in tables:
        server = table.section == SERVER
        known = options_of(server_parser() if server else KNOWN[f"python -m vecaf {table.section}"])
        for name, given, _ in table.rows[1:]:
            assert name in known, f"{table.section} has no option {name}"
            required, flag, default = known[name]
            shown = "required" if required else "off" if flag else str(default or "none")
            shown = "0" if default == 0 and not flag else shown
            assert given == shown, f"{table.section} {name} is {shown} by default"


# Settings


def test_environment_variables_exist_and_have_these_defaults() -> None:
    known = Settings.from_environment({}).as_environment()
    elsewhere = {"VECAF_USER", "VECAF_PASSWORD"}
    for path in DOCS:
        named = set(re.findall(r"VECAF_[A-Z_]+\b", path.read_text(encoding="utf-8")))
        assert named <= known.keys() | elsewhere, by_name(path)
    for table in read(ROOT / "docs" / "configuration.md").tables:
        for name, given, *_ in table.rows[1:]:
            if name in known and given[0].isalnum() and "data" not in given and given != "none":
                assert given == known[name], name


def test_dependencies_are_explained() -> None:
    explained = {row[0] for table in read(ROOT / "docs" / "dependencies.md").tables
                 for row in table.rows[1:]}  # fmt: skip
    lines = [
        line
        for path in ROOT.glob("requirements*.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert explained == {m[0] for line in lines if (m := re.match(r"[A-Za-z0-9_-]+", line))
                         and not line.startswith("-")}  # fmt: skip


# Links


@pytest.mark.parametrize("path", PAGES, ids=by_name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in read(path).links:
        if re.match(r"[a-z]+:", link):
            continue  # another site
        target, _, anchor = unquote(link).partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{link} in {by_name(path)}"
        if anchor:
            assert anchor in read(file).anchors, f"{link} in {by_name(path)}"


@pytest.mark.parametrize("path", PAGES, ids=by_name)
def test_files_of_the_repository_exist(path: Path) -> None:
    for phrase in read(path).phrases:
        if re.fullmatch(r"(vecaf|app|assets|benchmarks|tests|tools)/[\w./*-]*", phrase):
            assert any(ROOT.glob(phrase)), f"{phrase} in {by_name(path)}"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in read(index).links}
    assert set(PAGES) - {index} <= linked


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200
