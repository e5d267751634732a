"""How the local engine divides the GPUs of a machine; no GPU is used."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tests.engine.harness import wait_for
from vecaf.engine import local
from vecaf.engine.local import LocalEngine
from vecaf.engine.protocol import Attempt, Resources, Running
from vecaf.engine.resources import parse_resources, resources_for
from vecaf.errors import InputError, UnavailableError
from vecaf.settings import GIB, Settings
from vecaf.store.jobs import IN_QUEUE

ONE = Resources()


@pytest.fixture
def four(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine with four GPUs, whose children print the GPUs that they see and wait."""
    program = (
        "import os, sys; print('gpus', os.environ['VECAF_GPUS'], flush=True); sys.stdin.read()"
    )
    monkeypatch.setattr(local, "COMMAND", [sys.executable, "-c", program])
    monkeypatch.setattr(local, "visible_gpus", lambda: ["0", "1", "2", "5"])
    return replace(settings, standby_minutes=0)


def gpus_of(settings: Settings, attempt: Attempt) -> str:
    log = settings.runs / str(attempt.job_id) / "log.txt"
    if attempt.kind == "task":
        log = settings.tasks / str(attempt.job_id) / "log.txt"
    wait_for(lambda: log.read_text().endswith("\n"), 60, "the child has not started")
    return log.read_text().removeprefix("gpus ").strip()


def test_runs_side_by_side_have_their_own_gpus(four: Settings) -> None:
    engine = LocalEngine(four)
    runs = [Attempt("run", number, 1) for number in range(1, 5)]
    try:
        for run in runs:
            assert engine.obstacle("run", ONE) is None
            engine.start(run, ONE, prepared=False)
        assert engine.obstacle("run", ONE) == IN_QUEUE
        assert [gpus_of(four, run) for run in runs] == ["0", "1", "2", "5"]
        assert engine.status(runs[3]) == Running("GPU 5")
        engine.stop(runs[2], 60)
        wait_for(lambda: engine.status(runs[2]) != Running("GPU 2"), 60, "it does not stop")
        engine.forget(runs[2])
        task = Attempt("task", 1, 1)
        assert engine.obstacle("task", ONE) is None
        engine.start(task, ONE, prepared=False)
        assert gpus_of(four, task) == "2"
        assert engine.obstacle("task", ONE) == IN_QUEUE
        assert engine.obstacle("run", ONE) is None
    finally:
        engine.close()


def test_runs_of_several_processes_have_several_gpus(four: Settings) -> None:
    engine = LocalEngine(replace(four, processes=2))
    runs = [Attempt("run", 1, 1), Attempt("run", 2, 1)]
    try:
        for run in runs:
            engine.start(run, ONE, prepared=False)
        assert [gpus_of(four, run) for run in runs] == ["0,1", "2,5"]
        assert engine.obstacle("run", ONE) == IN_QUEUE
    finally:
        engine.close()
    with pytest.raises(UnavailableError, match=r"with 8 processes .* machine has only 4 GPUs"):
        LocalEngine(replace(four, processes=8))
    LocalEngine(replace(four, processes=8, device="cpu"))


def test_a_process_that_ignores_the_signal_is_killed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import signal, sys; signal.signal(15, signal.SIG_IGN); print('gpus', flush=True)\n"
        "sys.stdin.read()"
    )
    monkeypatch.setattr(local, "COMMAND", [sys.executable, "-c", program])
    engine, run = LocalEngine(settings), Attempt("run", 1, 1)
    try:
        engine.start(run, ONE, prepared=False)
        gpus_of(settings, run)
        engine.stop(run, 0.0)

        def killed() -> bool:
            engine.refresh()
            return not isinstance(engine.status(run), Running)

        wait_for(killed, 60, "it lives on")
    finally:
        engine.close()


def test_resources_come_from_the_settings(settings: Settings) -> None:
    given = replace(settings, run_resources="cpus=8 memory=1.5")
    found = resources_for(given, "run", {})
    assert (found.cpus, found.gpus, found.memory) == (8, 1, int(1.5 * GIB))
    assert resources_for(replace(given, processes=4), "run", {}).gpus == 4
    assert resources_for(given, "run", {"device": "cpu"}).gpus == 0
    assert resources_for(replace(given, device="cpu"), "run", {"device": "auto"}).gpus == 0
    for text in ("cpus", "cpus=many", "cores=4", "gpus=-1", "memory=inf"):
        with pytest.raises(InputError, match=r"Set it to values such as 'cpus=4"):
            parse_resources("VECAF_RUN_RESOURCES", text)
