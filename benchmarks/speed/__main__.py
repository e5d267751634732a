"""How near is the studio to what the hardware can do? `python -m benchmarks.speed [PROGRAM …]`

Each program measures something of the studio and, taking turns with it in the same process, its
floor (what the hardware could do) or its baseline (how it is plainly done), and prints a row of a
table for each. Some need `cifar10` and `pacs_photo` imported in VECAF_HOME.
`python -m benchmarks.speed PROGRAM --help` lists a program's own options.
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
    "selection": "ActiveFT against the plain form, and whether the ids are the same",
    "imagenet": "ActiveFT on 1.3 million rows of a mapped file: time against products, and memory",
    "embedding": "images to features, against eager timm; a second time; a few more images",
    "importing": "a ZIP becomes a dataset, against reading, decoding and hashing alone",
    "maps": "PCA, UMAP and a million points for the browser",
    "training": "steps of a head against their matrix products; of a model against a plain loop",
    "rescoring": "the pool's losses after a round",
    "start": "help, and the first page",
    "first_answers": "what a person waits for: selection, map, search, prediction, export",
}
"""Name → what it measures; each is a module here whose `measure(arguments)` yields figures."""


def main() -> None:
    # As the studio's own processes have it; read when PyTorch's threads are loaded.
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
        except VecafError as error:  # no such dataset in VECAF_HOME
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
    sys.exit(failed)


def _chosen(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The programs to run, and the options of the one that is named (all have defaults)."""
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
