"""No request leaves this machine while a program embeds, trains and serves.

Python's audit events report every connection and name lookup before it happens. The test refuses
and records those to other machines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PROGRAM = """
import json, sys, time
asked = []

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if host not in ("127.0.0.1", "localhost", "::1", "None", ""):
        asked.append(host)
        raise OSError(101, "Network is unreachable")

sys.addaudithook(watch)

from pathlib import Path
from tests.finished import finish_run, new_studio, NAME
from vecaf.config import RunConfig
from vecaf.errors import UnavailableError

home = Path(sys.argv[1])
store = new_studio(home, count=30)
run = finish_run(store, RunConfig(dataset=NAME, budget="6", rounds=1, epochs=2, batch_size=4))

from vecaf.export.predictor import Predictor
model = Predictor.load(store.settings.runs / str(run) / "model", "cpu")
model.predict(next((home / "drawn").rglob("*.png")))

from app.server import build
from app.shell.studio import Studio
from fastapi.testclient import TestClient
page = TestClient(build(Studio(store.settings, store)), base_url="http://127.0.0.1").get("/")
walked = list(asked)

began = time.monotonic()
sentences = []
for load in ("load_pvm", "load_vlm"):
    import vecaf.encoders
    name = {"load_pvm": "vit_small_patch16_224.dino", "load_vlm": "ViT-B-32/openai"}[load]
    try:
        getattr(vecaf.encoders, load)(name)
    except UnavailableError as error:
        sentences.append(str(error))
hub = sorted(set(asked[len(walked):]))
print(json.dumps({"walked": walked, "hub": hub, "page": page.status_code,
                  "sentences": sentences, "seconds": time.monotonic() - began}))
"""


@pytest.mark.soak
def test_only_a_hub_model_sends_requests_to_other_machines(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "home")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["walked"] == []
    assert found["page"] == 200
    assert found["hub"] == ["huggingface.co"]  # shows that requests are noticed
    for sentence in found["sentences"]:
        assert "the hub can't be reached" in sentence
        assert "If you have the file, choose" in sentence
    assert len(found["sentences"]) == 2
    assert found["seconds"] < 30
