"""Resume a stopped run after its last round whose files are intact."""

from __future__ import annotations

from pathlib import Path

from vecaf.errors import DamagedFileError
from vecaf.runs.recording import Recorder
from vecaf.store.records import RoundResult
from vecaf.training.checkpoints import load_tensors
from vecaf.training.learner import Learner


def resume(learner: Learner, recorder: Recorder) -> list[RoundResult]:
    """Restore the weights of the last finished round with intact files.

    If a power cut or a failing disk has damaged files, later rounds are repeated from their
    beginning, and the log of the run says so.

    Returns
    -------
    The results of the rounds up to the restored one.
    """
    ranks = learner.context.ranks
    finished = ranks.from_first(_resume, learner, recorder)
    if finished:
        ranks.together(lambda: None if ranks.first else learner.restore(finished[-1].number))
    return finished


def _resume(learner: Learner, recorder: Recorder) -> list[RoundResult]:
    """Restore the weights in the first process, which finds out what is intact."""
    finished = recorder.finished_rounds()
    intact = next((n for n in range(len(finished), 0, -1) if _restore(learner, n)), 0)
    current = _tensor_files(learner, len(finished) + 1)
    if intact < len(finished) or not all(map(_is_intact, current)):
        for number in range(intact + 1, len(finished) + 2):
            for path in _tensor_files(learner, number):
                path.unlink()
        recorder.reopen(intact)
        recorder.log(
            f"Files of round {intact + 1} are damaged or missing. The run repeats this round.",
            "warning",
        )
    if intact:
        learner.context.remove_checkpoints(intact)
    return finished[:intact]


def _restore(learner: Learner, number: int) -> bool:
    """Restore the weights of a finished round; return False if the next round can't start there."""
    context = learner.context
    following = context.segment(number + 1) if number < context.config.rounds else None
    previous = None if following is None else following.previous
    if previous is not None and not _is_intact(previous):
        return False
    try:
        learner.restore(number)
    except DamagedFileError:
        return False
    return True


def _is_intact(path: Path) -> bool:
    try:
        load_tensors(path)
    except DamagedFileError:
        return False
    return True


def _tensor_files(learner: Learner, number: int) -> list[Path]:
    return sorted(learner.context.round_folder(number).glob("*.safetensors"))
