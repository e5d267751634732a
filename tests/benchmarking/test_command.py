"""The benchmark command as a process: it can be resumed, and errors are explained."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 900  # only a hang takes this long, even on a loaded machine


def start(home: Path, *words: object, **variables: object) -> subprocess.Popen[str]:
    environment = {"VECAF_HOME": home, "VECAF_DEVICE": "cpu"} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "vecaf", *map(str, words)],
        # A background test suite ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env=os.environ | {name: str(value) for name, value in environment.items()},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(home: Path, *words: object) -> dict[str, object]:
    process = start(home, *words, "--json")
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, (out, err)
    (line,) = out.splitlines()
    answer: dict[str, object] = json.loads(line)
    return answer


def stop(
    process: subprocess.Popen[str], folder: Path, by: signal.Signals, after: int
) -> tuple[str, str]:
    """Send a signal after so many cells; return the output once all workers have ended."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while len(list(folder.glob("cells/[!.]*.json"))) < after:
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.05)
    children = _children(process.pid)
    if by == signal.SIGINT:
        os.killpg(process.pid, by)  # like a terminal: the workers receive it, too
    else:
        process.send_signal(by)
    printed = process.communicate(timeout=TIMEOUT_SECONDS)
    while any(map(_alive, children)):
        assert time.monotonic() < until, "its workers are still running"
        time.sleep(0.05)
    return printed


@pytest.mark.soak  # five processes that import PyTorch: two minutes
def test_a_benchmark_stopped_twice_resumes_with_the_same_result(
    tmp_path: Path, demo_home: Path
) -> None:
    words = (
        "benchmark", "openmoji", "--strategies", "random,typiclust", "--budgets", "12,2%",
        "--seeds", "2", "--epochs", "4",
    )  # fmt: skip
    folder = tmp_path / "broken"
    for after, by in ((1, signal.SIGKILL), (3, signal.SIGTERM)):
        process = start(demo_home, *words, "--to", folder, "--workers", "1", TMPDIR=tmp_path)
        out, err = stop(process, folder, by, after)
        assert not list(tmp_path.glob("vecaf-benchmark-*")), "the shared features were not removed"
        if by != signal.SIGKILL:
            assert process.returncode == 1
            assert (out, err.splitlines()[-1:]) == ("", ["vecaf: Stopped."])

    kept = {path: path.read_bytes() for path in folder.glob("cells/[!.]*.json")}
    assert 3 <= len(kept) < 8
    resumed = finish(demo_home, *words, "--to", folder)
    assert {path: path.read_bytes() for path in kept} == kept  # no cell was measured twice
    whole = finish(demo_home, *words, "--to", tmp_path / "whole")
    same = [
        [{k: v for k, v in cell.items() if k != "seconds"} for cell in answer["cells"]]  # type: ignore[attr-defined]
        for answer in (resumed, whole)
    ]
    assert len(same[0]) == 8 and same[0] == same[1]
    assert resumed["table"] == whole["table"]
    for name in whole["files"]:  # type: ignore[attr-defined]
        if name != "cells.csv":  # contains durations
            assert (folder / name).stat().st_size


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo")
    process = start(home, "import", "demo:color", "--name", "openmoji")
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, (out, err)
    return home


def test_a_strategy_of_the_other_track_is_rejected(demo_home: Path) -> None:
    process = start(demo_home, "benchmark", "openmoji", "--strategies", "ccs", "--json")
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 2, (out, err)
    assert "needs the labels-known track" in json.loads(out)["error"]
