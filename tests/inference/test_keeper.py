"""The inference process starts on demand, restarts after a crash, and ends when idle."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.shell.inference import TOTAL_LIMIT, USER_LIMIT, InferenceProcess
from tests.engine.harness import is_alive, wait_for
from tests.waiting import result_of
from vecaf.errors import (
    BusyError,
    InputError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
    VecafError,
)

# A process with the same protocol that answers any request at once.
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

Make = Callable[..., InferenceProcess]


def ask(keeper: InferenceProcess, name: str, **arguments: Any) -> dict[str, Any]:
    return result_of(keeper.ask(name, **arguments))


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[InferenceProcess] = []

    def keeper(**options: float) -> InferenceProcess:
        made.append(InferenceProcess(os.environ, [sys.executable, "-c", STAND_IN], **options))
        return made[-1]

    yield keeper
    for one in made:
        one.stop()


def test_one_process_answers_all_requests(make: Make) -> None:
    keeper = make()
    assert keeper.process is None  # no request was sent
    first = ask(keeper, "say", user=7, words="größer\nthan 'this' & \"that\"")
    assert (first["user"], first["words"]) == (7, "größer\nthan 'this' & \"that\"")
    assert ask(keeper, "say", user=8)["pid"] == first["pid"]


def test_preparing_starts_the_process_for_the_next_request(make: Make) -> None:
    keeper = make()
    keeper.prepare("say", user=1, seconds=0.5)
    keeper.prepare("say", user=1)  # one is enough
    wait_for(lambda: keeper.process is not None, 20, "the process has not started")
    assert keeper._questions.empty()
    assert keeper.process is not None
    assert ask(keeper, "say", user=1)["pid"] == keeper.process.pid


def test_errors_come_back_as_they_were_raised(make: Make) -> None:
    keeper = make()
    for kind in (InputError, NotFoundError, UnavailableError, VecafError):
        with pytest.raises(kind, match=r"Not like this\.") as raised:
            ask(keeper, "fail", user=1, kind=kind.__name__)
        assert type(raised.value) is kind
    with pytest.raises(VecafError):
        ask(keeper, "fail", user=1, kind="os")  # not an error of ours
    assert ask(keeper, "say", user=1)["user"] == 1


def test_a_process_that_died_is_replaced(make: Make) -> None:
    keeper = make()
    first = ask(keeper, "say", user=1)["pid"]
    with pytest.raises(UnavailableError, match="ended unexpectedly"):
        ask(keeper, "die", user=1)
    second = ask(keeper, "say", user=1)["pid"]
    assert second != first and not is_alive(first)
    assert keeper.process is not None
    keeper.process.kill()  # between questions: nobody notices
    keeper.process.wait()
    assert ask(keeper, "say", user=1)["pid"] not in (first, second)


@pytest.mark.soak
def test_a_slow_answer_times_out(make: Make) -> None:
    keeper = make(answer_seconds=2)
    slow = ask(keeper, "say", user=1)["pid"]
    with pytest.raises(UnavailableError, match="did not answer within 2 s"):
        ask(keeper, "say", user=1, seconds=600)
    assert not is_alive(slow)
    assert ask(keeper, "say", user=1, late=False)["late"] is False  # not the late answer


def test_requests_are_answered_one_at_a_time(make: Make) -> None:
    keeper = make()

    async def ask_all() -> list[dict[str, object]]:
        questions = (keeper.ask("say", user=n, number=n, seconds=0.05) for n in range(8))
        return list(await asyncio.gather(*questions))

    before = threading.active_count()
    answers = result_of(ask_all())
    assert threading.active_count() <= before + 2  # a writer and a reader
    assert [answer["number"] for answer in answers] == list(range(8))
    assert all(answer["user"] == answer["number"] for answer in answers)
    assert len({answer["pid"] for answer in answers}) == 1


def test_one_user_cannot_fill_the_queue(make: Make) -> None:
    keeper = make()

    async def ask(user: int) -> asyncio.Task[dict[str, object]]:
        asked = asyncio.create_task(keeper.ask("say", user=user, seconds=600))
        await asyncio.sleep(0)  # it waits in the queue after that
        return asked

    async def check() -> None:
        tasks = [await ask(1) for _ in range(USER_LIMIT)]
        with pytest.raises(TooManyRequestsError, match="of your requests") as raised:
            await keeper.ask("say", user=1)
        assert raised.value.seconds > 0
        tasks += [await ask(2 + n) for n in range(TOTAL_LIMIT - USER_LIMIT)]
        with pytest.raises(BusyError, match=f"{TOTAL_LIMIT} requests"):
            await keeper.ask("say", user=99)
        tasks[-1].cancel()  # its client leaves, which makes room
        await asyncio.wait({tasks[-1]})
        tasks.append(await ask(99))
        keeper.stop()
        await asyncio.wait(tasks)
        errors = {type(task.exception()) for task in tasks if not task.cancelled()}
        assert errors == {UnavailableError}

    result_of(check())


def test_a_request_times_out_while_it_waits_for_others(make: Make) -> None:
    keeper = make(answer_seconds=1)

    async def ask_three() -> list[dict[str, object] | BaseException]:
        questions = (keeper.ask("say", user=n, seconds=600) for n in range(3))
        return list(await asyncio.gather(*questions, return_exceptions=True))

    first, _, last = result_of(ask_three())
    assert type(first) is UnavailableError  # its request started and took too long
    assert type(last) is BusyError


def test_an_idle_process_ends_and_the_next_request_starts_another(make: Make) -> None:
    keeper = make(idle_seconds=0.3)
    first = ask(keeper, "say", user=1)["pid"]
    wait_for(lambda: not is_alive(first), 60, "the idle process lives on")
    assert ask(keeper, "say", user=1)["pid"] != first


def test_stopping_ends_a_request_in_progress(make: Make) -> None:
    keeper = make()
    pid = ask(keeper, "say", user=1)["pid"]
    raised: list[Exception] = []

    def ask_slowly() -> None:
        try:
            ask(keeper, "say", user=1, seconds=60)
        except UnavailableError as error:
            raised.append(error)

    thread = threading.Thread(target=ask_slowly)
    thread.start()
    time.sleep(0.3)
    keeper.stop()
    thread.join(10)
    assert len(raised) == 1 and not is_alive(pid)
    with pytest.raises(UnavailableError, match="stopping"):
        ask(keeper, "say", user=1)


def test_the_inference_process_ends_with_its_input_and_prints_only_replies() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "vecaf.inference"],
        input="",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (process.returncode, process.stdout) == (0, "")


@pytest.mark.soak
def test_an_error_that_nobody_waits_for_is_not_reported(make: Make) -> None:
    keeper = make()
    reported: list[object] = []

    async def check() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        asking = asyncio.create_task(keeper.ask("say", user=1, seconds=60))
        await asyncio.to_thread(wait_for, lambda: keeper.process is not None, 20, "not started")
        asking.cancel()
        await asyncio.wait({asking})
        keeper.stop()  # the question fails
        await asyncio.to_thread(wait_for, lambda: not keeper._waiting, 20, "not ended")
        with pytest.raises(UnavailableError):  # the thread drops the previous question
            await keeper.ask("say", user=1)
        del asking
        gc.collect()

    result_of(check())
    assert not reported
