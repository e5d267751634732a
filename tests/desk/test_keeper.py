"""The desk's process: started when asked, started again when it died, ended when idle."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.desk import DeskKeeper
from tests.jobs.harness import is_alive, wait_for
from vecaf.errors import InputError, NotFoundError, UnavailableError, VecafError

# A process of the same manners that answers at once, whatever the question is about.
STAND_IN = """
import json, os, sys, time
for line in sys.stdin:
    question = json.loads(line)
    asked = question["arguments"]
    if question["name"] == "die":
        os._exit(3)
    time.sleep(asked.get("seconds", 0))
    if question["name"] == "fail":
        reply = {"error": "Not like this.", "kind": asked["kind"]}
    else:
        reply = {"answer": {"pid": os.getpid(), "user": question["user"], **asked}}
    print(json.dumps(reply), flush=True)
"""

Make = Callable[..., DeskKeeper]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[DeskKeeper] = []

    def keeper(**options: float) -> DeskKeeper:
        made.append(DeskKeeper(os.environ, [sys.executable, "-c", STAND_IN], **options))
        return made[-1]

    yield keeper
    for one in made:
        one.stop()


def test_one_process_answers_every_question(make: Make) -> None:
    keeper = make()
    assert keeper.process is None  # nobody has asked
    first = keeper.ask("say", user=7, words="größer\nthan 'this' & \"that\"")
    assert (first["user"], first["words"]) == (7, "größer\nthan 'this' & \"that\"")
    assert keeper.ask("say", user=8)["pid"] == first["pid"]


def test_errors_come_back_as_they_were_raised(make: Make) -> None:
    keeper = make()
    for kind in (InputError, NotFoundError, UnavailableError, VecafError):
        with pytest.raises(kind, match=r"Not like this\.") as raised:
            keeper.ask("fail", user=1, kind=kind.__name__)
        assert type(raised.value) is kind
    with pytest.raises(VecafError):
        keeper.ask("fail", user=1, kind="os")  # not an error of ours
    assert keeper.ask("say", user=1)["user"] == 1


def test_a_process_that_died_is_replaced(make: Make) -> None:
    keeper = make()
    first = keeper.ask("say", user=1)["pid"]
    with pytest.raises(UnavailableError, match="ended unexpectedly"):
        keeper.ask("die", user=1)
    second = keeper.ask("say", user=1)["pid"]
    assert second != first and not is_alive(first)
    assert keeper.process is not None
    keeper.process.kill()  # between questions: nobody notices
    keeper.process.wait()
    assert keeper.ask("say", user=1)["pid"] not in (first, second)


def test_too_long_an_answer_is_given_up(make: Make) -> None:
    keeper = make(answer_seconds=2)
    slow = keeper.ask("say", user=1)["pid"]
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="no answer within 2 s"):
        keeper.ask("say", user=1, seconds=60)
    assert time.monotonic() - started < 10
    assert not is_alive(slow)
    assert keeper.ask("say", user=1, late=False)["late"] is False  # not the late answer


def test_questions_wait_for_each_other(make: Make) -> None:
    keeper = make()
    answers: list[dict[str, object]] = []
    threads = [
        threading.Thread(
            target=lambda number=number: answers.append(
                keeper.ask("say", user=number, number=number, seconds=0.05)
            )
        )
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer["number"] for answer in answers} == set(range(8))
    assert all(answer["user"] == answer["number"] for answer in answers)
    assert len({answer["pid"] for answer in answers}) == 1


def test_an_idle_process_ends_and_the_next_question_starts_another(make: Make) -> None:
    keeper = make(idle_seconds=0.3)
    first = keeper.ask("say", user=1)["pid"]
    wait_for(lambda: not is_alive(first), 10, "the idle process lives on")
    assert keeper.ask("say", user=1)["pid"] != first


def test_stopping_ends_an_answer_under_way(make: Make) -> None:
    keeper = make()
    pid = keeper.ask("say", user=1)["pid"]
    raised: list[Exception] = []

    def ask() -> None:
        try:
            keeper.ask("say", user=1, seconds=60)
        except UnavailableError as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    keeper.stop()
    thread.join(10)
    assert len(raised) == 1 and not is_alive(pid)
    with pytest.raises(UnavailableError, match="stopping"):
        keeper.ask("say", user=1)


def test_the_desk_ends_with_its_input_and_prints_replies_only() -> None:
    desk = subprocess.run(
        [sys.executable, "-m", "vecaf.desk"], input="", capture_output=True, text=True, timeout=120
    )
    assert (desk.returncode, desk.stdout) == (0, "")
