"""What the engines add to the time of a job, and how long they take to notice lost processes.

    python -m benchmarks.scaling.engine

The jobs are runs that train nothing (tests/engine/stand_in). The cluster has three nodes with
made-up resources, all on this machine. Times include loading the studio in the process of the job.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.harness import run_row, wait_for, wait_until_ended, worker
from tests.engine.programs import InEachProcess
from tests.engine.ray_cluster import RayCluster
from vecaf.config import RunConfig
from vecaf.engine.locks import FileLock
from vecaf.engine.paths import lock_of
from vecaf.engine.queue import cancel_run, submit_run
from vecaf.engine.run_processes import Launcher
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN, VAL, Dataset, Sample, Store
from vecaf.training.ranks import Ranks

PATIENCE = 600.0
PROCESSES = 2
ROWS = 2000  # of the dataset; half of them are its pool
ROUNDS = 100  # of five images: a job that takes a minute or more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--launches", type=int, default=3)
    given = parser.parse_args()
    print("| measured | seconds |\n|---|---|")
    with tempfile.TemporaryDirectory(prefix="vr") as name:
        folder = Path(name)
        store = _store(folder / "local")
        _report("job, `local`, without a prepared process", *_jobs(store, given.jobs, ""))
        _takeovers(store, "")
        with _cluster(folder) as cluster:
            store = _store(folder / "ray")
            _report("job, `ray`", *_jobs(store, given.jobs, cluster.address))
            _takeovers(store, cluster.address)
            _lost_machines(store, cluster)
        _launches(folder, given.launches)


def _report(what: str, *seconds: float) -> None:
    middle = statistics.median(seconds)
    print(f"| {what} | {middle:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) |", flush=True)


def _store(home: Path) -> Store:
    """Return a store with a dataset of rows, whose images are never opened."""
    home.mkdir()
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    with store.write() as session:
        dataset = Dataset(
            owner_id=store.owner(), name="rows", classes=["a", "b"], content_hash="0" * 64,
            source="benchmark", report={},
        )  # fmt: skip
        session.add(dataset)
        session.flush()
        for index in range(ROWS):
            path = store.settings.images / "00" / f"{index:064}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            session.add(
                Sample(
                    dataset_id=dataset.id, file_name=path.name, sha256=path.stem, extension=".png",
                    width=8, height=8, split=(TRAIN, TRAIN, VAL, TEST)[index % 4],
                    label=index // 4 % 2,
                )
            )  # fmt: skip
    return store


@contextmanager
def _cluster(folder: Path) -> Iterator[RayCluster]:
    """Start a head that takes no runs, and two nodes."""
    cluster = RayCluster(folder, cpus=1, gpus=0)
    try:
        for name in ("first", "second"):
            cluster.add_node(name, cpus=4, gpus=0)
        yield cluster
    finally:
        cluster.stop()


def _submit(store: Store, rounds: int) -> int:
    return submit_run(store, RunConfig(dataset="rows", budget="5", rounds=rounds), store.owner())


def _jobs(store: Store, count: int, cluster: str) -> list[float]:
    """Return the time of each job, from its submission to its end, one after the other."""
    seconds = []
    with worker(store.settings, stand_in="quick", cluster=cluster):
        for number in range(count + 1):
            started = time.perf_counter()
            wait_until_ended(store, _submit(store, 1), PATIENCE)
            if number:  # the worker itself starts during the first one
                seconds.append(time.perf_counter() - started)
    return seconds


def _takeovers(store: Store, cluster: str) -> None:
    engine = "ray" if cluster else "local"
    with worker(store.settings, stand_in="work", cluster=cluster) as first:
        run_id = _training(store)
        pid, _ = FileLock(lock_of(store.settings, "run", run_id)).holder()
        assert pid is not None
        seconds = _until_next_attempt(store, run_id, lambda: os.kill(pid, signal.SIGKILL))
        _report(f"killed process of a job, `{engine}`", seconds)
        if cluster:  # the job continues without its worker
            cancel_run(store, run_id, store.owner())
            wait_until_ended(store, run_id, PATIENCE)
            return
        with worker(store.settings, stand_in="work", cluster=cluster):
            time.sleep(5)  # it waits for the other worker to exit
            _report("killed worker, `local`", _until_next_attempt(store, run_id, first.kill))
            cancel_run(store, run_id, store.owner())
            wait_until_ended(store, run_id, PATIENCE)


def _lost_machines(store: Store, cluster: RayCluster) -> None:
    with worker(store.settings, stand_in="work", cluster=cluster.address):
        run_id = _training(store)
        wait_for(lambda: bool(run_row(store, run_id).node), PATIENCE, "no node is shown")
        node = cluster.nodes[1 if run_row(store, run_id).node == "first" else 2]
        _report("killed node, `ray`", _until_next_attempt(store, run_id, node.kill))

        def restart() -> None:
            cluster.stop()
            cluster.start_head()
            cluster.add_node("first", cpus=4, gpus=0)

        _report(
            "killed head, including the start of a new head and node, `ray`",
            _until_next_attempt(store, run_id, restart),
        )
        cancel_run(store, run_id, store.owner())
        wait_until_ended(store, run_id, PATIENCE)


def _training(store: Store) -> int:
    run_id = _submit(store, ROUNDS)
    wait_for(lambda: "training" in run_row(store, run_id).stage, PATIENCE, "it does not train")
    return run_id


def _until_next_attempt(store: Store, run_id: int, lose: Callable[[], None]) -> float:
    """Return the seconds from a loss until the next attempt trains."""
    attempt = run_row(store, run_id).attempt
    started = time.perf_counter()
    lose()

    def trains() -> bool:
        run = run_row(store, run_id)
        return run.attempt > attempt and "training" in run.stage

    wait_for(trains, PATIENCE, "it does not train again")
    return time.perf_counter() - started


def _nothing(ranks: Ranks) -> None:
    ranks.mean(1.0)


def _launches(folder: Path, count: int) -> None:
    """Print the time to start and end two processes that train nothing."""
    import ray

    from vecaf.engine.ray_training import launch_on_cluster
    from vecaf.engine.torchrun import launch_here

    launchers: dict[str, Launcher] = {"torchrun": launch_here, "Ray Train": launch_on_cluster}
    for name, launch in launchers.items():
        if launch is launch_on_cluster:
            ray.init("local", num_cpus=8, include_dashboard=False, log_to_driver=False)
        seconds = []
        for number in range(count):
            place = folder / f"{name}-{number}"
            place.mkdir()
            started = time.perf_counter()
            launch(InEachProcess(_nothing), PROCESSES, "cpu", place)
            seconds.append(time.perf_counter() - started)
        _report(f"{PROCESSES} processes that train nothing, {name}", *seconds)
    ray.shutdown()


if __name__ == "__main__":
    main()
