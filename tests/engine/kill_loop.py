"""Kill the worker with SIGKILL at many moments of a real run.

    python -m tests.engine.kill_loop --kills 20 [--mode full] [--seed 1]

The moments are spread over the parts of the run. With a seed, they are random moments of the run.

Each run must finish. Rounds that had finished before the kill must be unchanged. Selected images
and accuracies must equal those of an undisturbed run. Both databases must be intact.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import sqlalchemy as sa

from tests.engine.harness import (
    WorkerProcess,
    check_integrity,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    write_images,
)
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.queue import submit_run
from vecaf.settings import Settings
from vecaf.store import ENDED, FINISHED, Metric, Round, SelectedSample, Store
from vecaf.store.runs import rounds_of

PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Kill:
    """One kill and what it hit."""

    after_seconds: float  # from submitting the run
    state: str
    stage: str
    rounds_done: int
    attempts: int
    seconds: float  # from the kill until the run finished


def kill_loop(
    home: Path, kills: int, mode: str, *, seed: int | None = None, first: int = 0
) -> Iterator[Kill]:
    """Yield after each kill that the run survives. Raise AssertionError for the first other one.

    Without a seed, `first` is the part of the run in which the first kill happens: 0 while it loads
    and embeds, 1 to 3 in that round. The next kill happens in the next part.
    """
    random = None if seed is None else Random(seed)
    settings = Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})
    store = Store.open(settings)
    import_dataset(store, write_images(home / "pictures"), "pictures")
    config = RunConfig(dataset="pictures", budget="6", rounds=3, epochs=4, mode=mode, batch_size=4)

    worker = WorkerProcess(settings)
    try:
        began = time.monotonic()
        undisturbed = submit_run(store, config, store.owner())
        wait_for_round(store, undisturbed, 0)
        loading = time.monotonic() - began
        assert wait_until_ended(store, undisturbed, PATIENCE_SECONDS).state == FINISHED
        whole = time.monotonic() - began
        expected = outcome(store, undisturbed)
        with store.read() as session:
            lengths = [one.seconds for one in rounds_of(session, store.owner(), undisturbed)]

        for index in range(kills):
            # The run embeds all images again, so that some kills hit the embedding, too.
            shutil.rmtree(settings.embeddings, ignore_errors=True)
            began = time.monotonic()
            run_id = submit_run(store, config, store.owner())
            # Each cycle kills a little later in a part.
            part, share = (first + index) % 4, (index + 0.5) / kills
            if random is not None:
                time.sleep(random.uniform(0, whole))
            else:
                if part > 0:
                    wait_for_round(store, run_id, part - 1)
                time.sleep(share * (loading, *lengths)[part])
            moment = time.monotonic() - began
            worker.kill()
            worker.close()
            hit, finished = run_row(store, run_id), finished_rounds(store, run_id)
            check_integrity(settings)

            worker = WorkerProcess(settings)
            run = wait_until_ended(store, run_id, PATIENCE_SECONDS)
            hit_at = f"killed at {moment:.1f} s ({hit.stage})"
            assert run.state == FINISHED, f"{hit_at}: {run.error} {log_lines(store, run_id)}"
            assert finished_rounds(store, run_id)[: len(finished)] == finished, hit_at
            assert outcome(store, run_id) == expected, hit_at
            check_integrity(settings)
            seconds = time.monotonic() - began
            yield Kill(moment, hit.state, hit.stage, len(finished), run.attempt, seconds)
    finally:
        worker.close()


def wait_for_round(store: Store, run_id: int, done: int) -> None:
    """Wait until that many rounds are done and the next one has begun, or the run has ended."""
    wait_for(
        lambda: (
            (
                run_row(store, run_id).stage.startswith("Round")
                and len(finished_rounds(store, run_id)) >= done
            )
            or run_row(store, run_id).state in ENDED
        ),
        PATIENCE_SECONDS,
        "no round began",
    )


def finished_rounds(store: Store, run_id: int) -> list[tuple[object, ...]]:
    """Return every finished round with its times: a repeated round would differ."""
    query = sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
    with store.read() as session:
        return [
            (row.number, row.finished_at, row.seconds, row.batches)
            for row in session.scalars(query)
        ]


def outcome(store: Store, run_id: int) -> list[object]:
    """Return the results of the run: selected images, accuracies and curves, without times.

    Losses within an epoch are reported at intervals of time, so their steps differ between runs.
    """
    picks = sa.select(SelectedSample.round, SelectedSample.rank, SelectedSample.sample_id)
    rounds = sa.select(Round.number, Round.labeled, Round.batches, Round.test_accuracy)
    curves = sa.select(Metric.round, Metric.step, Metric.name).where(Metric.name != "train_loss")
    with store.read() as session:
        return [
            sorted(tuple(row) for row in session.execute(query.where(table.run_id == run_id)))
            for query, table in ((picks, SelectedSample), (rounds, Round), (curves, Metric))
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description="kill -9 the worker at moments of a real run")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--mode", choices=("head-only", "full"), default="head-only")
    parser.add_argument("--seed", type=int, help="draw the moments at random")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kill in kill_loop(Path(folder), arguments.kills, arguments.mode, seed=arguments.seed):
            print(
                f"killed at {kill.after_seconds:5.1f} s ({kill.state}; "
                f"{kill.stage or 'no stage yet'}; {kill.rounds_done} rounds done): "
                f"finished at {kill.seconds:5.1f} s in {kill.attempts} attempts",
                flush=True,
            )
    print(f"{arguments.kills} kills: each run finished, no round repeated, integrity ok")


if __name__ == "__main__":
    main()
