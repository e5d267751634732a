"""Markup in names, labels, captions and messages stays text in all HTML that the studio sends.

The views are found by walking the functions of the pages and the routes, so a view that is added
later is tested too. tests/browser/test_hostile_names.py looks at the pages in a browser.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.pages import PAGES
from app.server import build
from app.shell.studio import Studio
from tests.app.belongings import give
from tests.app.crawl import ask_gradio
from tests.app.test_two_users import BASE, PASSWORD, Two, gradio_events
from tests.homes import new_home
from vecaf.accounts.users import add_user
from vecaf.settings import Settings
from vecaf.store import Store

MARK = "stored'\"><img src=x onerror=\"window.ran=1\"><i onclick='window.ran=1'>{{ran}}${ran}"


class Reader(HTMLParser):
    """Collects the parts of the mark that a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.shows = False
        self._script = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script"
        for name, value in attributes:
            if name.startswith("on") and "ran=1" in (value or ""):
                self.runs.append(f"<{tag} {name}={value!r}>")
            self.shows = self.shows or "stored'" in (value or "")

    def handle_data(self, text: str) -> None:
        if self._script and "ran=1" in text:
            self.runs.append(text)
        self.shows = self.shows or "stored'" in text


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    home = new_home(tmp_path_factory.mktemp("home"))
    store = Store.open(Settings(home=home, database_url=f"sqlite:///{home / 'studio.db'}"))
    with store.write() as session:
        anna = add_user(session, "anna", PASSWORD).id
    hers = give(store, anna, tmp_path_factory.mktemp("zip"), MARK)
    studio = Studio(store.settings, store, accounts=True)
    app = build(studio)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        answer = client.post("/login", data={"username": "anna", "password": PASSWORD})
        assert answer.status_code == 200
        yield Two(studio, client, client, client, hers, app)
    store.close()


def pieces(answer: Any) -> Iterator[str]:
    """Yield each text in a response of the pages' functions."""
    for line in answer.text.splitlines():
        if line.startswith("data:"):
            message = json.loads(line.removeprefix("data:"))
            yield from _texts(message.get("output", {}).get("data", []))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def test_markup_in_stored_texts_stays_text_in_every_view(hostile: Two) -> None:
    showing = 0
    for number, inputs, event in gradio_events(hostile):
        if isinstance(event, dict) and event["act"]:
            continue  # read only
        for text in pieces(ask_gradio(hostile.anna, number, inputs, event, "annas-tab")):
            if not text.lstrip().startswith("<"):
                continue  # plain text, which its component escapes
            found = read(text)
            assert not found.runs, (number, event, found.runs)
            showing += found.shows
    assert showing >= 15, f"Only {showing} answers show the stored texts."


def test_markup_in_stored_texts_stays_text_in_every_page(hostile: Two) -> None:
    first = hostile.hers.first
    query = f"?dataset={first('dataset_id')}&run={first('run_id')}&subset={first('subset_id')}"
    for path in (*(page.path for page in PAGES), "/login"):
        answer = hostile.anna.get(f"{path}{query}&next={MARK}", headers={"Accept": "text/html"})
        assert "text/html" in answer.headers["content-type"], path
        assert not read(answer.text).runs, path
