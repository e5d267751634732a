"""List everything that the studio responds to.

These are all routes of the FastAPI application and of the applications mounted in it, and all
functions of the Gradio pages, including hidden ones.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

APP = Path(__file__).resolve().parents[2] / "app"
MOST = 40  # maximum number of addresses tried per route


@dataclass(frozen=True)
class Found:
    """A route: its path with placeholders, one method, and the names of its query parameters."""

    method: str
    path: str
    query: tuple[str, ...]

    def addresses(self, values: Mapping[str, Sequence[object]]) -> list[str]:
        """Fill the placeholders of the path from `values`, by name.

        A name that `values` lacks is tried with every value.
        """
        everything = list(dict.fromkeys(str(v) for given in values.values() for v in given))
        names = re.findall(r"\{(\w+)(?::\w+)?\}", self.path)
        choices = [[str(v) for v in values.get(name, everything)] for name in names]
        query = "&".join(f"{name}={values.get(name, ['1'])[0]}" for name in self.query)
        found = []
        for chosen in itertools.islice(itertools.product(*choices), MOST):
            path = self.path
            for name, value in zip(names, chosen, strict=True):
                path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
            found += [path, f"{path}?{query}"] if query else [path]
        return found


def routes(app: FastAPI) -> list[Found]:
    """List every route and method, in the order of the requests."""
    found = []
    for path, route in _walk(app.routes, ""):
        told = getattr(route, "dependant", None)
        query = tuple(one.alias for one in told.query_params) if told is not None else ()
        methods = getattr(route, "methods", None) or {"GET"}
        found += [Found(method, path, query) for method in sorted(methods)]
    return found


def _walk(found: Sequence[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for route in found:
        included = getattr(route, "effective_candidates", None)  # FastAPI's, since 0.13x
        below = included() if included is not None else getattr(route, "routes", None)
        if below is not None:
            yield from _walk(below, prefix + getattr(route, "path", "").rstrip("/"))
        else:
            yield prefix + route.path, route


def acts() -> list[str]:
    """Find in the source every action that a page's button or handler accepts."""
    known: set[str] = set()
    for path in sorted(APP.rglob("*.py")):
        text = path.read_text()
        known.update(re.findall(r'data-act="([\w-]+)"', text))
        known.update(re.findall(r'(?:act|what|get\("act"\)) == "([\w-]+)"', text))
        for listed in re.findall(r"(?:act|what) in \(([^)]*)\)", text):
            known.update(re.findall(r'"([\w-]+)"', listed))
    return sorted(known)


def ask_gradio(client: TestClient, fn: int, data: list[Any], event: Any, tab: str) -> Any:
    """Call a function of the pages as a browser does. The response contains all its messages."""
    body = {"fn_index": fn, "data": data, "event_data": event, "session_hash": tab}
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined
    return client.get("/gradio_api/queue/data", params={"session_hash": tab})
