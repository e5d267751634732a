"""How processes that compute with large tensors allocate memory."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "GLIBC_TUNABLES"
TUNABLES = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432"
    ":glibc.malloc.trim_threshold=1073741824"
)


def with_fast_allocation(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that trains or predicts. A value of your own is kept.

    PyTorch allocates memory for the result of each layer. By default, the C library of Linux gets
    it from the system in pages of 4 KiB, which the system clears, and returns it right afterward.
    With these settings it uses huge pages and keeps up to 1 GiB for the next tensor. Measured with
    EfficientNet-Lite0 on two cores of a virtual machine: a forward pass at 224 pixels takes half
    the time, a training step at 96 pixels four fifths, with 3% more memory. Other C libraries
    ignore the variable.
    """
    return {VARIABLE: TUNABLES, **environment}
