"""Resume a stopped run after its last round whose files are whole."""

from __future__ import annotations

from pathlib import Path

from vecaf.errors import DamagedFileError
from vecaf.runs.recording import Recorder, RoundResult
from vecaf.training.checkpoints import load_tensors
from vecaf.training.learner import Learner


def resume(learner: Learner, recorder: Recorder) -> list[RoundResult]:
    """Restore the weights of the last round whose files are whole; return the rounds up to it.

    Where a power cut or a failing disk left damaged files, later rounds are repeated from their
    beginning, and the run's log says so.
    """
    done = recorder.rounds_done()
    whole = next((n for n in range(len(done), 0, -1) if _restored(learner, n)), 0)
    under_way = _tensor_files(learner, len(done) + 1)
    if whole < len(done) or not all(map(_is_whole, under_way)):
        for number in range(whole + 1, len(done) + 2):
            for path in _tensor_files(learner, number):
                path.unlink()
        recorder.reopen(whole)
        recorder.log(
            f"Files of round {whole + 1} are damaged or missing. The run repeats this round.",
            "warning",
        )
    if whole:
        learner.context.remove_checkpoints(whole)
    return done[:whole]


def _restored(learner: Learner, number: int) -> bool:
    """Restore the weights of a finished round; False where the next round can't go on from it."""
    context = learner.context
    following = context.segment(number + 1) if number < context.config.rounds else None
    if (
        following is not None
        and following.previous is not None
        and not _is_whole(following.previous)
    ):
        return False
    try:
        learner.restore(number)
    except DamagedFileError:
        return False
    return True


def _is_whole(path: Path) -> bool:
    try:
        load_tensors(path)
    except DamagedFileError:
        return False
    return True


def _tensor_files(learner: Learner, number: int) -> list[Path]:
    return sorted(learner.context.round_folder(number).glob("*.safetensors"))
