"""Slow, failing, and held-back requests of a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.studio import PATIENCE_MS


def slow_down(page: Any, milliseconds: int, which: str = "") -> None:
    """Delay the page's events (those that contain `which`) without delaying the test."""
    page.evaluate(
        """([pause, which]) => {
            const ask = window.fetch;
            window.fetch = async (...request) => {
                if (String(request[0]?.url ?? request[0]).includes("/queue/join")
                    && String(request[1]?.body).includes(which))
                    await new Promise((done) => setTimeout(done, pause));
                return ask(...request);
            };
        }""",
        [milliseconds, which],
    )


def hold(page: Any, which: str = "") -> Callable[[], None]:
    """Keep the page's events (those that contain `which`) from the server. A call of the returned
    function waits for the next event and sends it."""
    page.evaluate(
        """(which) => {
            const ask = window.fetch;
            window.held = [];
            window.fetch = async (...request) => {
                if (String(request[0]?.url ?? request[0]).includes("/queue/join")
                    && String(request[1]?.body).includes(which))
                    await new Promise((send) => window.held.push(send));
                return ask(...request);
            };
        }""",
        which,
    )

    def send() -> None:
        page.wait_for_function("window.held.length")
        page.evaluate("window.held.shift()()")

    return send


def fail(page: Any) -> Callable[[], None]:
    """Let every change fail before it reaches the server, until the returned function is called."""

    def answer(route: Any) -> None:
        if '"act"' in (route.request.post_data or ""):
            route.fulfill(status=502, body="Bad gateway")
        else:
            route.continue_()

    page.route("**/queue/join*", answer)

    def recover() -> None:
        page.unroute("**/queue/join*", answer)
        page.evaluate("dispatchEvent(new Event('studio:back'))")  # don't wait for the next attempt

    return recover


def fail_once(page: Any, fail: Callable[[Any], None]) -> None:
    """Let the page's next change fail before it reaches the server."""
    failed: list[Any] = []

    def pass_on(route: Any) -> None:
        if failed or '"act"' not in (route.request.post_data or ""):
            route.continue_()
        else:
            failed.append(route)
            fail(route)

    page.unroute("**/queue/join*")
    page.route("**/queue/join*", pass_on)


def held(page: Any, address: str) -> list[Any]:
    """Hold the requests to an address, so that the test decides when to answer them."""
    waiting: list[Any] = []
    page.route(address, lambda route: waiting.append(route))
    return waiting


def until(page: Any, waiting: list[Any], count: int = 1) -> Any:
    """Wait until `count` requests are held, and return the newest."""
    pause = 50  # milliseconds
    for _ in range(PATIENCE_MS // pause):
        if len(waiting) >= count:
            return waiting[-1]
        page.wait_for_timeout(pause)
    raise AssertionError(f"Waited in vain for request {count}.")
