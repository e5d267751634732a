"""Accounts in a browser: log in and out, share datasets, and edit while a login expires."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from tests.browser.conftest import ELSEWHERE
from tests.browser.studio import PATIENCE_MS, Server, free_port, shapes, wait_for
from vecaf.accounts.users import add_user
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import TRAIN, Dataset, Login, Sample, Store
from vecaf.store.subsets import add_subset

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
PASSWORD = "a password of many words"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a studio with accounts: Anna has a dataset, Bob has none."""
    home = tmp_path_factory.mktemp("studio")
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home), "DATABASE_URL": ""}))
    with store.write() as session:
        anna, _ = (add_user(session, name, PASSWORD).id for name in ("anna", "bob"))
    import_dataset(store, shapes(home / "shapes.zip", 4), "annas shapes", user_id=anna)
    store.close()
    server = Server(home, free_port(), ["--auth", "--no-worker"])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def visitor(browser: Any, guarded: Server) -> Iterator[Callable[..., Any]]:
    """Open a page in a separate browser profile. A script error fails the test."""
    contexts, errors = [], []

    def open_page(
        path: str = "/",
        width: int = 1440,
        height: int = 900,
        host: str = "127.0.0.1",
        **options: Any,
    ) -> Any:
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(guarded.url.replace("127.0.0.1", host) + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors, errors


def log_in(page: Any, name: str, password: str = PASSWORD) -> None:
    page.fill("[name=username]", name)
    page.fill("[name=password]", password)
    page.keyboard.press("Enter")


def expire(server: Server) -> None:
    """End every login, as if it had expired."""
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(server.home)}))
    with store.write() as session:
        session.execute(sa.delete(Login))
    store.close()


def violations(page: Any) -> list[str]:
    page.add_script_tag(content=AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]


@pytest.mark.parametrize(
    ("scheme", "width", "host"),
    [
        pytest.param("light", 1440, "127.0.0.1", marks=pytest.mark.soak),
        ("dark", 390, ELSEWHERE),
    ],
)
def test_logging_in_by_keyboard(
    visitor: Callable[..., Any], scheme: str, width: int, host: str
) -> None:
    page = visitor("/runs?run=7", width=width, host=host, color_scheme=scheme)
    assert page.url.endswith("/login?next=/runs%3Frun%3D7")
    assert violations(page) == []
    page.keyboard.type("anna")  # the field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text() == "The username or password is wrong. Try again."
    assert violations(page) == []
    assert page.input_value("[name=username]") == "anna"
    page.keyboard.type(PASSWORD)  # the password field has the focus now
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?run=7")
    assert page.locator(".bar .who").inner_text().split() == [
        "Logged",
        "in",
        "as",
        "anna",
        "Log",
        "out",
    ]
    assert page.evaluate("document.cookie") == ""  # no script can read it
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.soak  # tests/app/test_two_users.py shares a dataset, too
def test_a_dataset_is_shared_and_read(visitor: Callable[..., Any]) -> None:
    anna, bob = visitor("/?dataset=1&view=sharing"), visitor("/?dataset=1")
    log_in(bob, "bob")
    bob.get_by_text("There is no dataset 1").wait_for()
    log_in(anna, "anna")
    anna.get_by_text("Private to you").wait_for()
    anna.get_by_label("User to share with").fill("bob")
    anna.keyboard.press("Enter")
    anna.get_by_role("button", name="Stop sharing with bob").wait_for()
    assert violations(anna) == []

    bob.goto(bob.url.partition("?")[0])
    bob.get_by_text("shared by anna").wait_for()
    bob.get_by_role("link", name="annas shapes").click()
    bob.get_by_text("Only anna can change it").wait_for()
    bob.wait_for_function("document.querySelector('.image-list img')?.naturalWidth > 0")
    assert bob.get_by_role("button", name="Delete dataset…").count() == 0
    assert bob.get_by_role("button", name="Set label").count() == 0  # hidden
    assert bob.get_by_role("link", name="Sharing").count() == 0

    anna.get_by_role("button", name="Stop sharing with bob").click()
    anna.get_by_text("Private to you").wait_for()
    bob.reload()
    bob.get_by_text("There is no dataset 1").wait_for()


@pytest.mark.soak
def test_labels_survive_an_expired_login(visitor: Callable[..., Any], guarded: Server) -> None:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(guarded.home)}))
    with store.write() as session:
        train = sa.select(Sample).where(Sample.dataset_id == 1, Sample.split == TRAIN)
        images = session.scalars(train.order_by(Sample.id).limit(4)).all()
        for image in images:
            image.label = None
        ids = [image.id for image in images]
        anna = session.scalars(sa.select(Dataset.owner_id).where(Dataset.id == 1)).one()
        subset = add_subset(session, anna, 1, "four", "selection", ids, facts={"seed": 1}).id
    page = visitor(f"/label?dataset=1&subset={subset}")
    log_in(page, "anna")
    done = page.locator(".label-head .progress-words")
    expect(done).to_contain_text("0 of 4 labeled")
    page.get_by_label("Order of the images").select_option(label="Selection order")
    expire(guarded)
    page.evaluate("""
      for (const key of ["3", "2", "1"])
        document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    """)
    page.wait_for_url("**/login**")
    log_in(page, "anna")
    expect(done).to_contain_text("3 of 4 labeled")

    def labels() -> list[int | None]:
        with store.read() as session:
            return [session.get_one(Sample, image_id).label for image_id in ids]

    wait_for(lambda: labels() == [2, 1, 0, None], 20, f"the labels, which are {labels()}")
    store.close()


@pytest.mark.soak
def test_an_edit_survives_an_expired_login(visitor: Callable[..., Any], guarded: Server) -> None:
    page = visitor("/?dataset=1")
    log_in(page, "anna")
    caption = page.locator(".image-list li").first.get_by_role("textbox")
    caption.fill("typed before")
    expire(guarded)
    caption.press("Enter")
    page.wait_for_url("**/login**")
    kept = page.evaluate("sessionStorage.getItem('studio-unsent')")
    log_in(page, "anna")
    expect(page.locator(".last-change")).to_contain_text("set to “typed before”")
    expect(caption).to_have_value("typed before")
    others = kept.replace("typed before", "bobs").replace('"anna"', '"bob"')
    page.evaluate("(others) => sessionStorage.setItem('studio-unsent', others)", others)
    page.reload()
    expect(caption).to_have_value("typed before")
    page.wait_for_timeout(500)
    expect(caption).to_have_value("typed before")


def test_after_logging_out_no_page_is_shown(visitor: Callable[..., Any], guarded: Server) -> None:
    page = visitor("/")
    log_in(page, "anna")
    page.get_by_role("link", name="annas shapes").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.go_back()
    page.wait_for_url("**/login*")  # not shown from the browser's cache
    log_in(page, "anna")
    page.get_by_role("link", name="annas shapes").wait_for()
    expire(guarded)
    page.wait_for_url("**/login*")  # the open page notices at its next update
