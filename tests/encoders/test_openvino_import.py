"""OpenVINO converts models without sending usage data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="needs OpenVINO")

PROGRAM = """
import sys
import torch  # a CUDA build starts ldconfig

started = []
names = ("os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda event, _: started.append(event) if event in names else None)

from torch import nn
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.runtime import compile_encoder

model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
runtime = compile_encoder(model, Preprocessing(16, (0.5,) * 3, (0.5,) * 3), batch_size=2)
assert runtime.backend == "openvino", runtime
from openvino.tools.ovc import telemetry_utils
print(telemetry_utils.tm.__name__, started)
"""


def test_a_conversion_sends_nothing_and_leaves_no_files_in_the_home(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "CI": ""}  # the telemetry is off in a CI job
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "[]"]
    assert not (tmp_path / "intel").exists()


def test_only_one_file_imports_openvino() -> None:
    folders = ("vecaf", "app", "benchmarks", "tests")
    files = [file for folder in folders for file in ROOT.glob(f"{folder}/**/*.py")]
    imports = re.compile(r"^\s*(import|from) openvino|importorskip\(.openvino", re.MULTILINE)
    importing = [one for one in files if imports.search(one.read_text()) and one != Path(__file__)]
    assert not importing, "use vecaf.encoders.openvino_import.load_openvino"
