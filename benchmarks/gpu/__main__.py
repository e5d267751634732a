"""Speed on a CUDA GPU: `python -m benchmarks.gpu [--dry-run]`

Measures embedding, training and selection beside plain programs and the roofline of the GPU, and
prints a table. Models have random weights and images are random, so nothing is downloaded. The
fastest of a few turns counts. Without a CUDA GPU, it ends with status 2.
"""

from __future__ import annotations

import argparse
import os
import sys

import torch

from benchmarks.gpu.embedding import measure_embedding
from benchmarks.gpu.roofline import measure_roofline
from benchmarks.gpu.selection import measure_selection
from benchmarks.gpu.sizes import HEADER, TINY, Sizes
from benchmarks.gpu.training import measure_training

PARTS = {
    "embedding": measure_embedding,
    "training": measure_training,
    "selection": measure_selection,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=list(PARTS), help="measure one part")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="compute tiny sizes on any device",
    )
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available() and not options.dry_run:
        print("This benchmark needs a CUDA GPU, and PyTorch finds none.", file=sys.stderr)
        return 2
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    sizes = TINY if options.dry_run else Sizes()
    roofline = measure_roofline(device, sizes.matrix)
    print(
        f"{device_name(device)}, {os.cpu_count()} CPU cores, PyTorch {torch.__version__}: "
        f"{roofline.operations / 1e12:.1f} TFLOP/s in bfloat16, "
        f"{roofline.bandwidth / 1e9:,.0f} GB/s (measured)\n\n{HEADER}",
        flush=True,
    )
    for name in [options.only] if options.only else PARTS:
        for measured in PARTS[name](device, sizes, roofline):
            print(measured.row(), flush=True)
    return 0


def device_name(device: torch.device) -> str:
    """Return the name of the GPU, or that this is a CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
