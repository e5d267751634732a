"""Malicious weights are rejected: pickles, false headers, a trillion elements."""

from __future__ import annotations

import json
import pickle
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vecaf.encoders import load_pvm
from vecaf.encoders.weights import read_safetensors
from vecaf.errors import InputError, VecafError
from vecaf.training.checkpoints import load_tensors

TRILLION = 10**12


def header(content: object, data: bytes = b"") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape: list[int], end: int, start: int = 0, dtype: str = "F32") -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}}


class Canary:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda canary: b"",
    "a pickle": lambda canary: pickle.dumps(Canary(canary)),
    "a pickle behind a header": lambda canary: header({}, pickle.dumps(Canary(canary))),
    "a trillion elements, few bytes": lambda canary: header(tensor([TRILLION], 4 * TRILLION)),
    "a trillion elements, offsets that lie": lambda canary: header(tensor([TRILLION], 4), b"1234"),
    "sizes that overflow": lambda canary: header(tensor([2**62, 2**62], 8), b"12345678"),
    "negative sizes": lambda canary: header(tensor([-4], 16), b"x" * 16),
    "offsets beyond the end": lambda canary: header(tensor([4], 116, 100), b"x" * 16),
    "an unknown type": lambda canary: header(tensor([1], 4, dtype="EVIL"), b"1234"),
    "a header of a terabyte": lambda canary: struct.pack("<Q", TRILLION) + b"{}",
    "a header that is no JSON": lambda canary: header(b"{" * 1000),
    "a deep header": lambda canary: header(b'{"a":' * 100_000),
    "not Unicode": lambda canary: header(b'{"\xff\xfe": 1}'),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_rejected_and_no_code_runs(kind: str, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "model.safetensors"
    path.write_bytes(HOSTILE[kind](canary))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"model\.safetensors"):
        read_safetensors(path)
    with pytest.raises(VecafError, match=r"model\.safetensors"):
        load_tensors(path)
    with pytest.raises(InputError):
        load_pvm(f"test_resnet@{path}").build()
    assert not canary.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


def test_a_file_that_claims_a_trillion_elements_is_rejected_unread(tmp_path: Path) -> None:
    """A sparse file takes no space on the disk, but would fill the memory."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(header(tensor([TRILLION], 4 * TRILLION)))
    size = path.stat().st_size
    try:
        with path.open("r+b") as file:
            file.truncate(size + 4 * TRILLION)
    except OSError:
        pytest.skip("this file system holds no file of four terabytes")
    for read in (read_safetensors, load_tensors):
        with pytest.raises(VecafError, match=r"is 4,000 GB, but this machine has only"):
            read(path)
