"""A digest of the code that decides a result: cells measured by other code are not mixed in."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vecaf.selection.strategies import FIRST_ROUND, STRATEGIES

ROOMS = (
    "vecaf.augmentation", "vecaf.encoders", "vecaf.evaluation.metrics", "vecaf.training",
    "vecaf.runs.plan", "vecaf.runs.preparation", "vecaf.runs.rounds", "vecaf.selection",
)  # fmt: skip
"""Where numbers are decided; what else a module imports (store, files, words) is left aside."""
REGISTRIES = ("vecaf", "vecaf.selection")  # import every strategy, whatever a run selects with


def code_digest(strategy: str) -> str:
    """Hex digest of all code that a run with `strategy` is decided by; comments don't count.

    The modules are found by their import statements, so that a change to one strategy leaves the
    cells of others valid.
    """
    entry = STRATEGIES[strategy]
    roots = {"vecaf.runs.rounds", "vecaf.selection.interface", entry.__module__}
    if entry.info.needs_model:
        roots.add(STRATEGIES[FIRST_ROUND].__module__)
    found: set[str] = set()
    waiting = sorted(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\n{_essence(name)}\n".encode())
    return digest.hexdigest()


@cache
def _tree(name: str) -> ast.Module:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, name
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _imports(name: str) -> list[str]:
    """The modules of ROOMS that `name` imports, wherever in it."""
    wanted: set[str] = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            wanted.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted.add(node.module)
            wanted.update(f"{node.module}.{item.name}" for item in node.names)
    return sorted(one for one in wanted if _decides(one) and _is_module(one))


def _decides(name: str) -> bool:
    inside = any(name == room or name.startswith(f"{room}.") for room in ROOMS)
    return inside and name not in REGISTRIES


@cache
def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a class's or a function's name, in a module that is no package
        return False


@cache
def _essence(name: str) -> str:
    """The module's code without comments, docstrings and layout."""
    tree = ast.parse(ast.unparse(_tree(name)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
