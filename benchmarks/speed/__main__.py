"""Speed of the studio: `python -m benchmarks.speed [PROGRAM …]`

Each program measures an operation of the studio and prints a row of a table. In the same process,
in turns, it measures a baseline (a straightforward implementation) or a lower bound (the minimum
work for the hardware). Some programs need the datasets `cifar10` and `pacs_photo` in VECAF_HOME.
`python -m benchmarks.speed PROGRAM --help` lists the options of a program.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

from benchmarks.speed.figures import HEADER, Figure
from vecaf.errors import VecafError

PROGRAMS = {
    "selection": "ActiveFT compared with a plain implementation, including the selected ids",
    "imagenet": "ActiveFT on 1.3 million memory-mapped rows: time and memory",
    "embedding": "embedding compared with eager timm, from the cache, and of additional images",
    "importing": "import of a ZIP file compared with reading, decoding and hashing",
    "maps": "PCA, UMAP and serving a million points",
    "training": "training steps of a head and of a whole model",
    "allocation": "eager PyTorch with huge pages and reused memory",
    "labeling": "fit, predictions and order of the images after each label",
    "rescoring": "per-sample losses of the pool after a round",
    "start": "command line help and the first page",
    "first_answers": "first response of selection, map, search, prediction and export",
}
"""Program name to description. Each is a module whose `measure(arguments)` yields figures."""


def main() -> None:
    # As in the studio's processes. It must be set before PyTorch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    names, own = _chosen(sys.argv[1:])
    print(HEADER, flush=True)
    failed = False
    for name in names:
        measure: Callable[[list[str]], Iterator[Figure]]
        measure = import_module(f"benchmarks.speed.{name}").measure
        try:
            for figure in measure(own):
                print(figure.row(), flush=True)
        except VecafError as error:  # such as a missing dataset
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
    sys.exit(failed)


def _chosen(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the programs to run, and the options if a single program is named."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=(__doc__ or "").splitlines()[0],
        epilog="\n".join(f"{name:13} {what}" for name, what in PROGRAMS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("programs", nargs="*", choices=[*PROGRAMS, []], metavar="PROGRAM")
    if arguments and arguments[0] in PROGRAMS and arguments[1:2] and arguments[1][0] == "-":
        return arguments[:1], arguments[1:]
    return parser.parse_args(arguments).programs or list(PROGRAMS), []


if __name__ == "__main__":
    main()
