"""Replace `vecaf.runs.rounds` in child processes that have this folder on PYTHONPATH.

VECAF_STAND_IN decides whether and how the stand-in hangs or crashes. Everything around it (queue,
worker, child, recorder, store) is real.
"""

import os
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any


def run_rounds(
    config: Any, samples: Any, recorder: Any, folder: Path, settings: Any, *_: Any
) -> None:
    behavior = os.environ["VECAF_STAND_IN"]
    if behavior == "hang":  # only records that it was told to stop
        signal.signal(signal.SIGTERM, lambda *_: (folder / "told").touch())
    recorder.stage(f"standing in: {behavior}")
    if behavior == "quick" or (behavior == "crash the first" and folder.name != "1"):
        return
    if behavior.startswith("crash") and behavior != "crash once":
        os.kill(os.getpid(), signal.SIGSEGV)
    if behavior == "crash once" and not (folder / "crashed").exists():
        (folder / "crashed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if behavior == "raise":
        raise ZeroDivisionError("a secret detail")
    if behavior == "hang":  # with a helper process beside it
        if os.fork() == 0:
            while True:
                time.sleep(1)
        while True:
            time.sleep(1)
    work(config, samples, recorder, folder)


def work(config: Any, samples: Any, recorder: Any, folder: Path) -> None:
    """Do rounds of twenty slow steps with checkpoints. Each selects the first available images."""
    import numpy as np

    from vecaf.errors import CanceledError
    from vecaf.files import write_bytes
    from vecaf.runs.recording import RoundSelection
    from vecaf.store.records import RoundResult

    done = {result.number for result in recorder.finished_rounds()}
    for number in range(1, config.rounds + 1):
        if number in done:
            continue
        if recorder.selection(number) is None:
            ids = samples.ids[samples.pool][(number - 1) * 5 : number * 5]
            scores = {"density": np.full(len(ids), 0.5, np.float32)}
            recorder.record_selection(number, RoundSelection(ids, scores))
        checkpoint = folder / f"step-{number}"
        start = int(checkpoint.read_text()) if checkpoint.exists() else 0
        recorder.rewind(number, start)
        for step in range(start + 1, 21):
            if os.environ["VECAF_STAND_IN"] != "stubborn" and recorder.should_stop():
                raise CanceledError("Stopped.")
            recorder.stage(f"round {number}: training", step, 20)
            recorder.metric(number, step, {"train_loss": 1.0 / step})
            recorder.flush()
            write_bytes(checkpoint, str(step).encode(), publishing=recorder.publishing)
            time.sleep(0.05)
        recorder.finish_round(RoundResult(number, 5 * number, 20 * number, 0.5, 0.5, 1.0, [[1]]))


def run_slowly(*given: Any) -> None:
    """Do a real run with slow stages.

    Each embedded batch takes a second, each step a tenth of a second, and a selection a minute
    without interruption.
    """
    del sys.modules["vecaf.runs.rounds"]
    import vecaf.runs.rounds
    from vecaf.encoders import embed as embedding
    from vecaf.runs.plan import RunPlan
    from vecaf.training import trainer

    def each_after(seconds: float, original: Any) -> Any:
        def slow(*a: Any, **k: Any) -> Any:
            for item in original(*a, **k):
                time.sleep(seconds)
                yield item

        return slow

    def after(seconds: float, original: Any) -> Any:
        def slow(*a: Any, **k: Any) -> Any:
            time.sleep(seconds)
            return original(*a, **k)

        return slow

    selects = float(os.environ.get("VECAF_STAND_IN_SELECTS", "60"))
    slowed: list[tuple[Any, str, Any, float]] = [
        (embedding, "encode_files", each_after, 1.0),
        (RunPlan, "select", after, selects),
        (trainer, "learning_rate_factor", after, 0.1),
    ]
    for place, name, how, seconds in slowed:
        setattr(place, name, how(seconds, getattr(place, name)))
    vecaf.runs.rounds.run_rounds(*given)


def counting(task: Any, *, upto: int, crash_at: int = 0) -> dict[str, Any]:
    """Count, and write one file per step. With `crash_at`, the task is killed once."""
    for number in range(1, upto + 1):
        task.check()
        task.stage("counting", number, upto)
        (task.folder / f"step-{number}").touch()
        if number == crash_at and not (task.folder / "crashed").exists():
            (task.folder / "crashed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
    return {"counted": upto}


def hurry() -> None:
    """Let a standby process start early and empty; report the host name that the test sets."""
    import socket

    import vecaf.engine.standby
    import vecaf.engine.warmup

    vecaf.engine.standby.IDLE_SECONDS = 0.1
    vecaf.engine.warmup.STEPS = ()
    host = os.environ.get("VECAF_STAND_IN_HOST")
    if host:
        socket.gethostname = lambda: host


if os.environ.get("VECAF_STAND_IN", "slow") != "slow":  # a real run takes a while to load
    hurry()
if os.environ.get("VECAF_STAND_IN") == "task":
    from vecaf.tasks import TASKS

    TASKS.register(counting)
    TASKS._entries["embed"] = lambda task: counting(task, upto=600)
elif os.environ.get("VECAF_STAND_IN", "real") != "real":
    module = types.ModuleType("vecaf.runs.rounds")
    slow = os.environ["VECAF_STAND_IN"] == "slow"
    module.__dict__["run_rounds"] = run_slowly if slow else run_rounds
    sys.modules["vecaf.runs.rounds"] = module
