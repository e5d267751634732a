"""The wheel: what it contains, and that it works without the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, because setuptools leaves its build folder in the source."""
    source = tmp_path_factory.mktemp("source")
    for name in ("app", "vecaf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for path in (*ROOT.glob("*.txt"), *ROOT.glob("*.toml"), ROOT / "setup.py", ROOT / "README.md",
                 ROOT / "LICENSE"):  # fmt: skip
        shutil.copy(path, source)
    folder = tmp_path_factory.mktemp("dist")
    _python("-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_library_the_app_and_their_data(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top == {"vecaf", "vecaf_studio"}
    for folder, package in (("vecaf", "vecaf"), ("app", "vecaf_studio")):
        shipped = {".py", ".html", ".js", ".css", ".svg", ".safetensors", ".mako"}
        expected = {
            f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.suffix in shipped
        }
        assert expected <= set(names)


def test_an_installed_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    _python("-m", "pip", "install", "-q", "--no-deps", "--target", installed, wheel)
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(installed)}
    listed = _python("-m", "vecaf", "strategies", "--json", cwd=elsewhere, env=environment)
    assert "vecaf" in {one["name"] for one in json.loads(listed)["strategies"]}
    code = "import vecaf_studio.server as server; print(server.__file__)"
    place = _python("-c", code, cwd=elsewhere, env=environment).strip()
    assert Path(place).is_relative_to(installed)


def test_the_app_imports_itself_relatively() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        found = re.search(
            r"^\s*(from|import) app\b", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert found is None, f"{path.name}: the installed package is called vecaf_studio"


@pytest.mark.soak
def test_a_clean_environment_runs_the_demo_and_the_studio(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    constraints = str(ROOT / "constraints.txt")
    install = [str(programs / "pip"), "install", "-q", str(wheel), "-c", constraints]
    subprocess.run(install, check=True, cwd=tmp_path)
    environment = os.environ | {"VECAF_HOME": str(tmp_path / "home")}
    demo = subprocess.run([programs / "vecaf", "demo", "--json"], cwd=tmp_path, env=environment,
                          check=True, capture_output=True, text=True)  # fmt: skip
    assert json.loads(demo.stdout)["state"] == "finished"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(programs / "vecaf"), "studio", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        while not _answers(f"http://127.0.0.1:{port}/runs"):
            assert process.poll() is None
            time.sleep(0.5)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def _python(*arguments: str | Path, **options: object) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    return str(done.stdout)
