"""Pages after a reload, a restart of the server, and responses that are late or missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Server

pytestmark = pytest.mark.soak  # other browser tests reload their pages


def test_reload_back_and_a_second_tab_find_the_same_view(
    open_page: Callable[..., Any], server: Server, run: str
) -> None:
    page = open_page("/runs")
    page.locator(f"a[href='{run}']").click()
    current = page.locator(".tabs a[aria-current]")
    expect(current).to_contain_text("Round 2")
    page.locator(".tabs a").first.click()
    expect(current).to_contain_text("Round 1")
    address = page.url
    page.reload()
    expect(current).to_contain_text("Round 1")
    second = open_page(address.removeprefix(server.url))
    expect(second.locator(".tabs a[aria-current]")).to_contain_text("Round 1")
    page.go_back()
    expect(current).to_contain_text("Round 2")
    page.go_back()
    expect(page.locator(".runs li").first).to_be_visible()
    page.go_forward()
    expect(current).to_contain_text("Round 2")


def test_a_late_answer_for_an_earlier_view_does_not_stay(
    open_page: Callable[..., Any], run: str
) -> None:
    page = open_page(f"{run}&round=1")
    late: list[Any] = []

    def delay(route: Any) -> None:
        sent = route.request.post_data_json
        if not late and sent["data"][1:] and sent["data"][1]:  # an update; it says what is shown
            late.append({**sent, "data": [run.removeprefix("/runs"), {}]})
            sent = late[0]
        route.continue_(post_data=json.dumps(sent))

    page.route("**/queue/join*", delay)
    current = page.locator(".tabs a[aria-current]")
    expect(current).to_contain_text("Round 2")  # as if it answered an earlier request
    expect(current).to_contain_text("Round 1")
    assert late


def test_a_restart_of_the_server_loses_nothing(
    open_page: Callable[..., Any], server: Server, run: str
) -> None:
    page, select, quiet = open_page(run), open_page("/select"), open_page("/predict")
    expect(page.locator(".tabs a")).to_have_count(2)
    select.locator("[name=budget]").fill("7")  # typed and not sent
    assert server.stop() == 0
    page.locator(".tabs a").first.click()
    for waiting in (page, select, quiet):  # each says so, also where nobody clicks
        expect(waiting.locator(".away")).to_contain_text("not responding")
        expect(waiting.locator("[data-testid=toast-body]")).not_to_be_visible()
    server.start()
    for waiting in (page, select, quiet):  # and continues without a reload
        expect(waiting.locator(".away")).to_have_count(0)
        expect(waiting.locator(".live:not([aria-busy])").first).to_be_attached()
    expect(page.locator(".tabs a[aria-current]")).to_contain_text("Round 1")
    expect(select.locator("[name=budget]")).to_have_value("7")


@pytest.mark.parametrize("part", ["plotly", "/assets/(?!index-)"])
def test_a_page_whose_parts_do_not_arrive_is_loaded_anew(
    open_page: Callable[..., Any], server: Server, run: str, part: str
) -> None:
    page = open_page("/", forgive="Unable to preload")  # this response is held back
    page.route(re.compile(f"{part}|/healthz"), lambda route: route.abort())
    page.goto(server.url + run)
    expect(page.locator(".away")).to_be_visible()
    page.unroute_all()
    expect(page.locator(".away")).to_have_count(0)
    expect(page.locator(".charts[data-points]")).to_be_attached()
