"""A hash of the code that affects a strategy's results, part of the key of cached results."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vecaf.selection.strategies import FIRST_ROUND, STRATEGIES

RESULT_MODULES = (
    "vecaf.arrays", "vecaf.augmentation", "vecaf.encoders", "vecaf.evaluation.losses",
    "vecaf.evaluation.metrics", "vecaf.training", "vecaf.runs.plan", "vecaf.runs.preparation",
    "vecaf.runs.rounds", "vecaf.selection",
)  # fmt: skip
"""Packages and modules that affect results. Other imports (store, files) are ignored."""
REGISTRIES = ("vecaf", "vecaf.selection")  # excluded because they import every strategy


def code_digest(strategy: str) -> str:
    """Hash all code that affects a run with a strategy, ignoring comments and docstrings.

    The modules are found through their import statements. A change to one strategy therefore
    keeps the results of other strategies valid.

    Returns
    -------
    str
        A SHA-256 in hexadecimal digits.
    """
    entry = STRATEGIES[strategy]
    roots = {"vecaf.runs.rounds", "vecaf.selection.interface", entry.__module__}
    if entry.info.needs_model:
        roots.add(STRATEGIES[FIRST_ROUND].__module__)
    found: set[str] = set()
    pending = sorted(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += _imports(name)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\n{_stripped_source(name)}\n".encode())
    return digest.hexdigest()


@cache
def _tree(name: str) -> ast.Module:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, name
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Return the modules in RESULT_MODULES that a module imports, including inside functions."""
    wanted: set[str] = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            wanted.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted.add(node.module)
            wanted.update(f"{node.module}.{item.name}" for item in node.names)
    return tuple(sorted(one for one in wanted if _affects_results(one) and _is_module(one)))


def _affects_results(name: str) -> bool:
    inside = any(name == package or name.startswith(f"{package}.") for package in RESULT_MODULES)
    return inside and name not in REGISTRIES


@cache
def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the name of a class or function
        return False


@cache
def _stripped_source(name: str) -> str:
    """Return the module's code without comments, docstrings and formatting."""
    tree = ast.parse(ast.unparse(_tree(name)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)]
    return ast.unparse(tree)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
