"""The fast runtime: image files to features, with decoding and encoding in parallel.

It uses CUDA on a GPU, OpenVINO on a CPU, or eager PyTorch. In float32, all three give the same rows
within 1e-4, so cached rows don't depend on where they were computed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vecaf.encoders import backends
from vecaf.encoders.backends import Conversion, Converted, Features, PixelBatch
from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.errors import CanceledError, InputError, UnavailableError

if TYPE_CHECKING:
    from torch import nn

Progress = Callable[[int, int], None]

OPENVINO_BATCH = 8  # small batches stay in the cache: faster than 16 to 64 (measured)
FEW_PIXELS = 6_000_000  # PyTorch computes these while OpenVINO converts (64 to 224 px)
FEW_REPEATED_PIXELS = 1_000_000  # the same while a conversion is repeated with new weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime:
    """A compiled encoder.

    Attributes
    ----------
    backend
        cuda, openvino or eager.
    batch_size
        Largest number of images in a batch.
    run
        Maps uint8 batches (b, s, s, 3) to float32 (b, d), in order; several batches are in flight.
    """

    backend: str  # cuda, openvino or eager
    batch_size: int
    run: Callable[[Iterable[PixelBatch]], Iterator[Features]]


def choose_device(device: str) -> str:
    """Turn a setting (auto, cpu, cuda, cuda:1 …) into 'cpu' or 'cuda:<index>'.

    Raises UnavailableError if CUDA is requested but missing, InputError for another value.
    """
    if device == "cpu":
        return device
    kind, _, index = device.partition(":")
    if device != "auto" and (kind != "cuda" or not (index or "0").isdigit()):
        raise InputError(f"The device is '{device}'. Use auto, cpu, cuda or cuda:<number>.")
    if device == "auto" and not _has_gpu_driver():
        return "cpu"  # without importing PyTorch, which is slow
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda:0" if count else "cpu"
    if int(index or 0) >= count:
        raise UnavailableError(f"This machine has no device {device}. Use auto or cpu.")
    return f"cuda:{index or 0}"


def _has_gpu_driver() -> bool:
    """Return whether this machine may have a GPU: NVIDIA's, AMD's, or that of a Windows host."""
    drivers = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
    return sys.platform != "linux" or any(Path(driver).exists() for driver in drivers)


def effective_precision(precision: str, device: str) -> str:
    """Return 'bfloat16' if precision is 'fast' and the device computes faster in it, else
    'float32'.

    A CPU does so with AMX or AVX-512's bfloat16. With the latter, OpenVINO computes
    EfficientNet-Lite0 in half the processor time of float32, at 96 and at 224 pixels (measured).
    """
    if precision != "fast":
        return "float32"
    import torch

    if device.startswith("cuda"):
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = getattr(torch.cpu, "get_capabilities", dict[str, bool])()  # newer than 2.6
        has_bfloat16 = known.get("amx_bf16", False) or known.get("avx512_bf16", False)
    return "bfloat16" if has_bfloat16 else "float32"


def backend_for(
    images: int, preprocessing: Preprocessing, device: str, *, few_pixels: int = FEW_PIXELS
) -> str | None:
    """Return 'eager' if converting the model would take longer than computing so few images on a
    CPU.

    None leaves the choice to `compile_encoder`.
    """
    few = images * preprocessing.image_size**2 < few_pixels
    return "eager" if few and device == "cpu" else None


def compile_encoder(
    module: nn.Module,
    preprocessing: Preprocessing,
    *,
    device: str = "cpu",
    precision: str = "float32",
    backend: str | None = None,
    batch_size: int | None = None,
    threads: int = 0,
    convert: Conversion = backends.convert,
    keep: Callable[[Converted], None] | None = None,
) -> Runtime:
    """Compile a module for fast inference from uint8 pixels.

    The module is switched to evaluation mode and, on a GPU, moved there. If OpenVINO can't convert
    it, or the result differs, it runs in PyTorch, and the log says so.

    Parameters
    ----------
    module
        Maps normalized float images to (b, d).
    preprocessing
        Image size and normalization.
    device
        From `choose_device`.
    precision
        float32 or bfloat16.
    backend
        By default, CUDA on a GPU, else OpenVINO, else eager.
    batch_size
        By default, what suits the backend. If it is given, smaller batches are padded on a CPU, so
        that the last bits of a row don't depend on other rows.
    threads
        Threads of OpenVINO; 0 = all cores.
    convert
        Converts the module for OpenVINO. A training passes a `RepeatedConversion`.
    keep
        Called with the model that was converted for OpenVINO, if it was.
    """
    wrapped = backends.from_pixels(module, preprocessing)
    if backend is None:
        on_cpu = "openvino" if find_spec("openvino") else "eager"
        backend = "cuda" if device.startswith("cuda") else on_cpu
    if backend == "openvino":
        batch = batch_size or OPENVINO_BATCH
        try:
            size = preprocessing.image_size
            converted = convert(wrapped, size, batch)
            run = backends.openvino(converted, size, batch, precision, threads)
            if keep is not None:
                keep(converted)
            return Runtime(backend, batch, run)
        except Exception as error:  # converters raise many types of errors
            log.warning("OpenVINO can't run this encoder (%s); it runs in PyTorch", error)
            backend = "eager"
    if backend == "cuda":
        return Runtime(backend, batch_size or 256, backends.cuda(wrapped, device, precision))
    return Runtime(backend, batch_size or 32, backends.eager(wrapped, precision, batch_size or 0))


def encode_files(
    runtime: Runtime,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Features]]:
    """Yield (first row, features (b, d)) for consecutive batches of image files.

    Threads decode ahead of the encoder.

    Parameters
    ----------
    runtime
        From `compile_encoder`.
    paths
        Image files.
    preprocessing
        Image size and normalization.
    progress
        Called after every batch with the number of finished images and of all images.
    should_stop
        Returns whether to cancel; called after every batch.

    Raises
    ------
    CanceledError
        If `should_stop` returns True.
    InputError
        For a file that can't be read.
    """
    done = 0
    with closing(_batches(paths, preprocessing, runtime.batch_size)) as batches:
        for features in runtime.run(batches):
            yield done, features
            done += len(features)
            if progress is not None:
                progress(done, len(paths))
            if should_stop is not None and should_stop():
                raise CanceledError("Embedding was canceled. Finished images stay in the cache.")


def _batches(
    paths: Sequence[Path], preprocessing: Preprocessing, batch_size: int
) -> Generator[PixelBatch]:
    """Yield decoded batches in order; a bounded number of threads reads ahead."""

    def load(start: int) -> PixelBatch:
        part = paths[start : start + batch_size]
        return np.stack([pixels(decode(path), preprocessing) for path in part])

    workers = min(16, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    ahead: deque[Future[PixelBatch]] = deque()
    try:
        for start in range(0, len(paths), batch_size):
            ahead.append(pool.submit(load, start))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
