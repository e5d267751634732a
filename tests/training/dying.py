"""Write a checkpoint in child processes, and kill each at another system call.

    python -m tests.training.dying FOLDER

ptrace follows each child, so calls of native code count, too. The first child gets SIGKILL before
its first call, the next one after it, the next one before the second call, until a child finishes.
Then files are cut off during a write: the kernel kills a child that writes beyond its limit. Prints
as JSON after how many kills the old and the new checkpoint were found.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from vecaf.training.checkpoints import load_tensors, restore_state, save_state
from vecaf.training.state import AveragedWeights, TrainState

TRACE_ME, SYSCALL = 0, 24
LIBC = ctypes.CDLL(None, use_errno=True)
NO_PTRACE = 77  # exit status if this system forbids ptrace


Training = tuple[TrainState, torch.nn.Module, torch.optim.Optimizer, AveragedWeights]


def training(steps: int) -> Training:
    """Return a model after some steps, the same at every call."""
    torch.manual_seed(0)
    model = torch.nn.Linear(64, 48)
    optimizer = torch.optim.AdamW(model.parameters())
    averaged = AveragedWeights(model, 0.9)
    for step in range(steps):
        loss = model(torch.full((2, 64), float(step + 1))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update(model)
    return TrainState(step=steps), model, optimizer, averaged


def what_loads(path: Path) -> str:
    """Return which checkpoint is at `path` (none, old or new), comparing every number."""
    _, model, optimizer, averaged = training(0)
    if not path.exists():
        return "none"
    state = restore_state(load_tensors(path), model, optimizer, averaged)
    _, same, its, own = training(state.step)
    for one, other in zip(model.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, other)
        for name, value in its.state[other].items():
            assert torch.equal(optimizer.state[one][name], value), name
    assert all(torch.equal(averaged.weights[name], own.weights[name]) for name in own.weights)
    return {1: "old", 2: "new"}[state.step]


def child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def killed_at(stop: int, save: Callable[[], None]) -> bool:
    """Kill a child at its `stop`-th entry to or return from the kernel; False if it ended."""

    def traced() -> None:
        if LIBC.ptrace(TRACE_ME, 0, None, None):
            os._exit(NO_PTRACE)
        os.kill(os.getpid(), signal.SIGSTOP)
        save()

    pid = child(traced)
    for number in range(stop + 1):
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status) == NO_PTRACE:
                sys.exit(NO_PTRACE)
            return False
        if number < stop:
            LIBC.ptrace(SYSCALL, pid, None, None)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def cut_at(size: int, save: Callable[[], None]) -> bool:
    """Let a child die when it writes beyond `size` bytes of a file. Return False if it did not."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        save()

    _, status = os.waitpid(child(limited), 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXFSZ


def main(folder: Path) -> dict[str, dict[str, int]]:
    path, old = folder / "checkpoint.safetensors", folder / "old.safetensors"
    save_state(old, *training(1))
    later = training(2)

    def save() -> None:
        save_state(path, *later)

    found: dict[str, Counter[str]] = {}
    for beginning in ("old", "none"):
        outcomes = found[beginning] = Counter()
        stop, died = 0, True
        while died:
            stop += 1
            for left in folder.glob(".*.tmp"):
                left.unlink()
            path.unlink(missing_ok=True)
            if beginning == "old":
                shutil.copy(old, path)
            died = killed_at(stop, save)
            outcomes[what_loads(path)] += died
        assert what_loads(path) == "new"
    cuts = found["cut"] = Counter()
    for part in range(20):
        shutil.copy(old, path)
        assert cut_at(old.stat().st_size * part // 20, save)
        cuts[what_loads(path)] += 1
    return {name: dict(counter) for name, counter in found.items()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
