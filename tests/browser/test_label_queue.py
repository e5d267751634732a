"""The queue of labels by itself: which answers make it drop a label, which make it wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import ROOT

QUEUE = ROOT / "app/label/label_queue.js"
# Answers with the statuses that a test has put into `answers`, then with 200.
STUDIO = """
window.answers = []; window.sent = [];
window.studio = { fetchJson: async (address, body) => {
  sent.push(body.values);
  const status = answers.shift();
  if (status) throw Object.assign(new Error("No."), { status });
} };
"""
Open = Callable[[str], Any]


@pytest.fixture
def page_of(browser: Any) -> Iterator[Open]:
    """Opens a page with the queue as a user's browser has it; all pages are of one browser."""
    context = browser.new_context()

    def open_page(user: str = "") -> Any:
        page = context.new_page()
        meta = f'<meta name="studio-user" content="{user}">' if user else ""
        page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=meta))
        page.goto("http://studio.example/")
        page.evaluate(STUDIO)
        page.add_script_tag(content=QUEUE.read_text())
        page.evaluate("window.queue = studio.labelQueue(7, () => {})")
        return page

    yield open_page
    context.close()


def kept(page: Any) -> int:
    """How many requests the browser would send after a reload."""
    script = "studio.labelQueue(7, () => {}).waiting.length"
    return int(page.evaluate(script))


@pytest.mark.parametrize("status", [408, 421, 429, 500])
def test_what_passes_is_tried_again(page_of: Open, status: int) -> None:
    page = page_of("")
    page.evaluate(f"answers.push({status}); queue.put({{1: 0}})")
    page.wait_for_function("sent.length === 2 && !queue.waiting.length")
    assert page.evaluate("sent") == [{"1": 0}, {"1": 0}]
    assert kept(page) == 0


def test_a_refused_label_does_not_hold_up_the_next(page_of: Open) -> None:
    page = page_of("")
    page.evaluate("answers.push(400); queue.put({1: 0}); queue.put({2: 1})")
    page.wait_for_function("sent.length === 2 && !queue.waiting.length")
    assert page.evaluate("sent") == [{"1": 0}, {"2": 1}]


def test_labels_wait_for_the_next_login_of_who_gave_them(page_of: Open) -> None:
    page = page_of("anna")
    page.evaluate("answers.push(...Array(9).fill(401)); queue.put({1: 0})")
    page.evaluate("queue.flush()")
    page.evaluate("queue.put({2: 1}); queue.flush()")
    assert page.evaluate("queue.waiting") == [{"1": 0}, {"2": 1}]
    assert kept(page_of("bob")) == 0
    again = page_of("anna")
    assert kept(again) == 2
    again.evaluate("queue.flush()")
    assert again.evaluate("sent") == [{"1": 0}, {"2": 1}]
    assert kept(again) == 0


def test_many_labels_at_once_are_sent_in_parts(page_of: Open) -> None:
    page = page_of("")
    page.evaluate("""
      window.values = Object.fromEntries(Array.from({ length: 12001 }, (_, i) => [i + 1, i % 3]));
      queue.put(values);
    """)
    page.wait_for_function("!queue.waiting.length")
    sent = page.evaluate("sent")
    assert [len(part) for part in sent] == [5000, 5000, 2001]
    together = {image: label for part in sent for image, label in part.items()}
    assert together == {str(i + 1): i % 3 for i in range(12001)}

    # They are taken back together too, but for a part that was refused.
    page.evaluate("answers.push(0, 0, 400); queue.put({0: 1}); queue.put(values)")
    page.wait_for_function("!queue.waiting.length")
    page.evaluate("sent.length = 0; queue.takeBack()")
    page.wait_for_function("!queue.waiting.length")
    assert page.evaluate("sent") == [None, None]
    assert len(page.evaluate("queue.put(values); queue.takeBack()")) == 12001
    page.wait_for_function("!queue.waiting.length")
    assert [one and len(one) for one in page.evaluate("sent.slice(2)")] == [5000, None]


def test_an_undo_takes_back_the_label_that_was_given_before_it(page_of: Open) -> None:
    page = page_of("")
    page.evaluate("answers.push(500); queue.put({1: 0}, {1: 5}); queue.put({2: 1}, {2: null})")
    assert page.evaluate("queue.takeBack()") == {"2": None}  # not sent yet: here alone
    assert page.evaluate("queue.takeBack()") == {"1": 5}  # on its way: behind it
    page.evaluate("queue.put({3: 2})")
    page.wait_for_function("!queue.waiting.length")
    assert page.evaluate("sent") == [{"1": 0}, {"1": 0}, None, {"3": 2}]

    page.evaluate("sent.length = 0; answers.push(400); queue.put({1: 0}); queue.takeBack()")
    page.wait_for_function("!queue.waiting.length")
    assert page.evaluate("sent") == [{"1": 0}]  # refused: the label before it stays
