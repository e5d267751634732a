"""The start of the studio: options, the worker process, the demo, and lazy imports."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app.__main__ import main
from app.server import _listen
from app.shell.demo import advance
from app.shell.worker import WorkerProcess
from vecaf.errors import InputError
from vecaf.runs.demo_run import COLOR
from vecaf.settings import Settings
from vecaf.store import FINISHED, Dataset, Import, Run, Sample, Store
from vecaf.store.workers import worker_alive

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_only_this_machine_is_listened_on(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", host]) == 2
    assert "requires --auth" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--home", str(tmp_path), "--no-worker"]) == 2
    assert f"--port {port + 1}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_damaged_database_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "studio.db").write_bytes(b"not a database" * 1000)
    assert main(["--port", "17861", "--home", str(tmp_path), "--no-worker"]) == 1
    assert "damaged" in capsys.readouterr().err


@pytest.mark.soak
def test_gradio_is_imported_without_its_type_stubs() -> None:
    program = (
        "import ast, app.server\n"
        "from app.shell.gradio_import import without_type_stubs\n"
        "parsed = []\n"
        "original = ast.get_source_segment\n"
        "ast.get_source_segment = lambda *given: parsed.append(1) or original(*given)\n"
        "with without_type_stubs():\n"
        "    import gradio\n"
        "print(len(parsed))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, text=True,
                          capture_output=True)  # fmt: skip
    assert int(done.stdout) < 20  # of 160


def test_the_server_loads_no_model_library() -> None:
    program = """
import sys, tempfile
from pathlib import Path
from app.server import build
from app.shell.studio import Studio
from vecaf.settings import Settings
from vecaf.store import Store
home = tempfile.mkdtemp()
settings = Settings.from_environment({"VECAF_HOME": home})
build(Studio(settings, Store.open(settings)))
import vecaf.engine.queue, vecaf.export.bundle
print([name for name in ("torch", "timm", "transformers", "open_clip", "openvino", "plotly")
       if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.soak
def test_ctrl_c_with_pages_open_ends_the_server_in_order_and_says_nothing(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--no-demo"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def worker_answers() -> bool:
        try:
            return bool(httpx.get(f"http://127.0.0.1:{port}/healthz").json()["worker"])
        except httpx.TransportError:
            return False

    until(worker_answers)
    with contextlib.ExitStack() as pages:
        for number in range(3):  # the stream that an open page holds
            address = f"http://127.0.0.1:{port}/gradio_api/heartbeat/page{number}"
            stream = pages.enter_context(httpx.stream("GET", address, timeout=60))
            assert next(stream.iter_text()).startswith("data: ALIVE")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert "Cancel" not in said


def until(check: object, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_worker_that_dies_is_started_again_and_ends_with_the_server() -> None:
    keeper = WorkerProcess(os.environ, [sys.executable, "-c", "import time; time.sleep(60)"])
    keeper.start()
    until(lambda: keeper.process is not None)
    first = keeper.process
    assert first is not None
    first.kill()
    until(lambda: keeper.process is not first)
    second = keeper.process
    assert second is not None
    keeper.stop()
    assert second.poll() == -signal.SIGTERM


def test_a_worker_does_not_outlive_a_server_that_was_killed(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.shell.worker"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        env={**os.environ, "VECAF_HOME": str(tmp_path), "DATABASE_URL": ""},
    )

    def alive() -> bool:
        with store.read() as session:
            return worker_alive(session)

    until(alive, 60)
    assert process.stdin is not None
    process.stdin.close()  # as the kernel does when a process has exited
    assert process.wait(20) == 0
    store.close()


def store_at(home: Path) -> Store:
    return Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))


def test_an_empty_home_gets_the_demo_and_then_its_run(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert advance(store)
    with store.read() as session:
        job = session.scalars(sa.select(Import)).one()
    assert (job.source, job.state) == ("demo:color", "queued")
    assert advance(store)  # no second one while it runs
    with store.write() as session:  # as the worker ends it
        dataset = Dataset(owner_id=job.owner_id, name=COLOR, classes=["a", "b"], report={},
                          content_hash="", source="demo:color", attribution=None)  # fmt: skip
        session.add(dataset)
        session.flush()
        for i in range(100):
            session.add(Sample(dataset_id=dataset.id, file_name=f"{i:03}", sha256=f"{i:064}",
                               extension=".png", width=1, height=1, split="train",
                               label=i % 2))  # fmt: skip
        job = session.get_one(Import, job.id)
        job.state, job.dataset_id = FINISHED, dataset.id
    assert not advance(store)
    assert not advance(store)  # a restart queues no second run
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Run)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Import)) == 1
    store.close()


def test_a_home_in_use_gets_no_demo(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    with store.write() as session:
        session.add(Import(owner_id=store.owner(), name="mine", source="/x.zip", state="failed"))
    assert not advance(store)
    store.close()


def test_one_of_two_that_start_at_once_has_the_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _listen("127.0.0.1", port), pytest.raises(InputError, match=f"Port {port}"):
        _listen("127.0.0.1", port)
