"""The command line: processes, exit statuses, and JSON on standard output."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.pictures import make_zip, photos
from tests.homes import new_home
from tests.shapes import write_shapes
from vecaf.commands.cli import main
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import Dataset, Run, Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 90)
    return folder


def in_new_process(home: Path, *words: object, status: int = 0) -> dict[str, Any]:
    """Run `python -m vecaf … --json`, check its exit status and return the object it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "vecaf", *map(str, words), "--json"],
        env=os.environ | {"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return only_object(done.stdout)


def vecaf(home: Path, *words: object, status: int = 0) -> dict[str, Any]:
    """Do the same in this process, which has imported the libraries already."""
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": str(home), "DEVICE": "cpu", "USER": ""}.items():
            patch.setenv(f"VECAF_{name}", value)
        patch.setattr(sys, "argv", ["vecaf", *map(str, words), "--json"])
        patch.setattr(sys, "stdout", printed)
        with pytest.raises(SystemExit) as left:
            main()
        printed.seek(0)
        output = printed.read()
    assert left.value.code == status, output
    return only_object(output)


def only_object(output: str) -> dict[str, Any]:
    lines = output.splitlines()
    assert len(lines) == 1, output
    answer: dict[str, Any] = json.loads(lines[0])
    return answer


def test_from_a_folder_to_a_model_that_a_new_process_uses(
    home: Path, shapes: Path, tmp_path: Path
) -> None:
    report = in_new_process(home, "import", shapes, "--name", "shapes")
    assert (report["images"], report["refused_count"]) == (90, 0)
    listed = vecaf(home, "datasets")["datasets"]
    assert [(d["name"], d["images"], d["classes"]) for d in listed] == [("shapes", 90, 3)]

    first, again = in_new_process(home, "embed", "shapes"), vecaf(home, "embed", "shapes")
    assert (first["computed"], again["computed"]) == (90, 0)
    options = ("--budget", "10%", "--seed", 3)
    picks = vecaf(home, "select", "shapes", *options)["ids"]

    ended = vecaf(home, "run", "shapes", *options, "--rounds", 2, "--epochs", 5, "--wait")
    assert ended["state"] == "finished"
    assert [r["round"] for r in ended["results"]] == [1, 2]
    run = ended["run"]
    assert vecaf(home, "runs")["runs"][0]["run"] == run

    evaluated = vecaf(home, "evaluate", run)
    assert evaluated["split"] == "test"
    assert evaluated["accuracy"] == ended["test_accuracy"]
    assert evaluated["metrics"].keys() == ended["metrics"]["test"].keys()
    everywhere = vecaf(home, "evaluate", run, "--on", "shapes", "--split", "all")
    assert everywhere["images"] == 90

    folder = tmp_path / "exported"
    files = vecaf(home, "export", run, "--to", folder)["files"]
    assert set(files) == {path.name for path in folder.iterdir()}
    receipt = json.loads((folder / "receipt.json").read_text())
    assert [len(r["sha256"]) for r in receipt["selections"]] == [len(picks), len(picks)]
    picked_first = json.loads((folder / "selection.json").read_text())[: len(picks)]
    assert [p["sample_id"] for p in picked_first] == picks  # as `select` printed

    predicted = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path\n"
            "from vecaf.export.predictor import Predictor\n"
            "print(next(iter(Predictor.load(Path(sys.argv[1])).predict(Path(sys.argv[2])))))",
            folder,
            shapes / "stripes" / "0002.png",
        ],
        env=os.environ | {"VECAF_HOME": str(tmp_path / "nowhere")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert predicted.stdout.strip() == "stripes"

    in_new_process(home, "export", run, "--to", folder, status=2)  # not empty
    assert "has finished" in vecaf(home, "resume", run, status=2)["error"]


def test_a_queued_run_is_canceled_at_once(home: Path, shapes: Path) -> None:
    name = "to-cancel"
    vecaf(home, "import", shapes, "--name", name)
    run = vecaf(home, "run", name, "--budget", 5)["run"]
    assert vecaf(home, "cancel", run)["state"] == "canceled"
    assert (
        "has no model, because it was canceled" in vecaf(home, "evaluate", run, status=2)["error"]
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "nowhere"), "There is no dataset called 'nowhere'"),
        (("select", "nowhere"), "budget"),
        (("run", "nowhere", "--rounds", "0"), "rounds"),
        (("run", "nowhere", "--budget", "0"), "Select at least 1 image"),
        (("run", "nowhere", "--no-such-option"), "no-such-option"),
        (("evaluate", "99"), "There is no run 99"),
        (("cancel", "99"), "There is no run 99"),
        (("import", "/no/such/file", "--name", "x"), "/no/such/file"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_bad_usage_is_a_message_and_status_2(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    assert sentence in vecaf(tmp_path, *words, status=2)["error"]


def test_all_runs_are_listed(tmp_path: Path) -> None:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path)}))
    with store.write() as session:
        session.add(Dataset(id=1, owner_id=store.owner(), name="d", classes=[], content_hash="",
                            source="", report={}))  # fmt: skip
        session.flush()
        session.add_all(
            Run(owner_id=store.owner(), dataset_id=1, name="r", seed=0, config={})
            for _ in range(101)
        )
    store.close()
    assert [run["run"] for run in vecaf(tmp_path, "runs")["runs"]] == list(range(101, 0, -1))


@pytest.mark.parametrize("words", [["backup"], ["export-dataset", "pets", "--to"]])
@pytest.mark.parametrize("name", ["file/x.zip", os.fsdecode(b"file/\xe9/x.zip")])
def test_an_unusable_path_is_a_message_and_status_1(
    words: list[str], name: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")}))
    import_dataset(store, make_zip(tmp_path / "a.zip", photos("cat", "dog")), "pets")
    store.close()
    error = vecaf(tmp_path / "home", *words, tmp_path / name, status=1)["error"]
    assert error.startswith(f"Can't use {tmp_path}/file")


def test_strategies_and_models_are_listed(tmp_path: Path) -> None:
    names = [s["name"] for s in vecaf(tmp_path, "strategies")["strategies"]]
    assert {"random", "kmeans", "kcenter", "activeft", "vecaf"} <= set(names)
    kinds = {(m["name"], m["kind"]) for m in vecaf(tmp_path, "models")["models"]}
    assert {name for name, _ in kinds} >= {"efficientnet_lite0", "embedded"}


def test_the_doctor_finds_this_installation_sound(tmp_path: Path) -> None:
    answer = vecaf(tmp_path, "doctor")
    assert answer["ok"], answer


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, vecaf.commands.cli; print([m for m in ('torch', 'timm', 'transformers', "
        "'gradio', 'sqlalchemy', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
