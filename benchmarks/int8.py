"""Accuracy and speed of an exported model in each runtime: `python -m benchmarks.int8`

The datasets contain the first images of each class of CIFAR-10 and of PACS photos. Finetunes the
classifier of the installed model on a random half of each pool, exports the runs with `--timm` and
`--int8`, and prints the tables of the model cards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.child import do_run
from vecaf.engine.paths import folder_of
from vecaf.engine.queue import submit_run
from vecaf.export.bundle import CARD, export_run
from vecaf.settings import Settings
from vecaf.store import RUNNING, Run, Store

DATA = Path(__file__).parents[2] / "shared" / "data"
PER_CLASS = 150  # of each split that the archive has
SETTINGS = RunConfig(
    strategy="random", track=LABELS_KNOWN, budget="50%", rounds=1, epochs=20, seed=0
)


def subset_of(archive: Path, to: Path, per_class: int) -> Path:
    """Copy the first images of each class and split into a new ZIP file."""
    taken: Counter[str] = Counter()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(to, "w") as out:
        for name in sorted(source.namelist()):
            folder, _, file = name.rpartition("/")
            if file and folder and taken[folder] < per_class:
                taken[folder] += 1
                out.writestr(name, source.read(name))
    return to


def finish(store: Store, dataset: str) -> int:
    """Execute a run on the dataset in this process and return its number."""
    config = RunConfig.from_dict(SETTINGS.as_dict() | {"dataset": dataset})
    run_id = submit_run(store, config, store.owner())
    with store.write() as session:
        run = session.get_one(Run, run_id)
        run.state, run.attempt = RUNNING, 1
    folder_of(store.settings, "run", run_id).mkdir(parents=True, exist_ok=True)
    do_run(store, run_id, 1, lambda: False)
    return run_id


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the ZIP files")
    parser.add_argument("--per-class", type=int, default=PER_CLASS, help="images per class")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as apart:
        home = Path(apart)
        environment = {"VECAF_HOME": str(home / "home"), "VECAF_DEVICE": "cpu"}
        store = Store.open(Settings.from_environment(environment))
        for name in ("cifar10", "pacs_photo"):
            print(f"running {name} …", file=sys.stderr)
            small = subset_of(given.data / f"{name}.zip", home / f"{name}.zip", given.per_class)
            import_dataset(store, small, name)
            run_id = finish(store, name)
            folder = home / f"export-{name}"
            export_run(store, store.owner(), run_id, folder, ("timm", "int8"))
            card = (folder / CARD).read_text(encoding="utf-8")
            print(f"\n{name}:\n")
            start = card.index("The folder `timm`")
            print(card[start : card.index("With VeCAF Studio", start)].strip())


if __name__ == "__main__":
    main()
