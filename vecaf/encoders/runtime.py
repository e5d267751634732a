"""The fast runtime: images on disk to features, decoding and encoding overlapped.

CUDA where there is a GPU, OpenVINO on a CPU, eager PyTorch where neither is. In float32 all
three give the same rows within 1e-4, so cached rows do not depend on where they were made.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from vecaf.encoders.preprocessing import Preprocessing, decode, pixels
from vecaf.errors import CanceledError, InputError, UnavailableError

if TYPE_CHECKING:
    import torch
    from torch import nn

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

FEW_PIXELS = 6_000_000  # converting a model takes as long as so many in PyTorch (64 to 224 px)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime:
    """A compiled encoder. `run` maps uint8 batches (b, s, s, 3) to float32 (b, d), in order.

    It keeps a few batches in flight; batches hold at most batch_size images.
    """

    backend: str  # cuda, openvino or eager
    batch_size: int
    run: Callable[[Iterable[Pixels]], Iterator[Features]]


def choose_device(device: str) -> str:
    """Turn a setting (auto, cpu, cuda, cuda:1 …) into 'cpu' or 'cuda:<index>'.

    Raises UnavailableError if CUDA is asked for and absent, InputError for another word.
    """
    if device == "cpu":
        return device
    kind, _, index = device.partition(":")
    if device != "auto" and (kind != "cuda" or not (index or "0").isdigit()):
        raise InputError(f"The device is '{device}'; it can be auto, cpu, cuda or cuda:<number>.")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda:0" if count else "cpu"
    if int(index or 0) >= count:
        raise UnavailableError(f"There is no device {device} on this machine; use auto or cpu.")
    return f"cuda:{index or 0}"


def effective_precision(precision: str, device: str) -> str:
    """'bfloat16' if precision is 'fast' and the device is faster in it, else 'float32'.

    A CPU is where it has AMX or AVX-512's bfloat16: on the latter, OpenVINO computes
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


def backend_for(images: int, preprocessing: Preprocessing, device: str) -> str | None:
    """'eager' where a CPU is to look at so few images that converting the model would take longer;
    None leaves the choice to `compile_encoder`."""
    few = images * preprocessing.image_size**2 < FEW_PIXELS
    return "eager" if few and device == "cpu" else None


def compile_encoder(
    module: nn.Module,
    preprocessing: Preprocessing,
    *,
    device: str = "cpu",
    precision: str = "float32",
    backend: str | None = None,
    batch_size: int | None = None,
) -> Runtime:
    """Make `module` (normalised float images → (b, d)) fast at inference from uint8 pixels.

    device: from `choose_device`. precision: float32 or bfloat16. backend None: CUDA on a GPU,
    else OpenVINO, else eager. batch_size None: what suits the backend; on a CPU, where it is given,
    smaller batches are filled up, so that a row's last bits do not depend on its company. A module
    that OpenVINO cannot convert, or converts to something else, runs eagerly and says so in the
    log. The module is switched to evaluation mode and, on a GPU, moved there.
    """
    wrapped = _from_pixels(module, preprocessing)
    if backend is None:
        on_cpu = "openvino" if find_spec("openvino") else "eager"
        backend = "cuda" if device.startswith("cuda") else on_cpu
    if backend == "openvino":
        batch = batch_size or 8  # small batches stay in cache: measured faster than 16 to 64
        try:
            run = _openvino(wrapped, preprocessing.image_size, batch, precision)
            return Runtime(backend, batch, run)
        except Exception as error:  # whatever a converter raises on an exotic module
            log.warning("OpenVINO cannot run this encoder (%s); it runs in PyTorch", error)
            backend = "eager"
    if backend == "cuda":
        return Runtime(backend, batch_size or 256, _cuda(wrapped, device, precision))
    return Runtime(backend, batch_size or 32, _eager(wrapped, precision, batch_size or 0))


def encode_files(
    runtime: Runtime,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Features]]:
    """Yield (first row, features (b, d)) for consecutive batches of the image files `paths`.

    Threads decode ahead of the encoder. `progress(done, total)` is called after every batch;
    `should_stop()` is asked before every one, and true raises CanceledError. A file that
    cannot be read raises InputError.
    """
    done = 0
    with closing(_batches(paths, preprocessing, runtime.batch_size)) as batches:
        for features in runtime.run(batches):
            yield done, features
            done += len(features)
            if progress is not None:
                progress(done, len(paths))
            if should_stop is not None and should_stop():
                raise CanceledError("Embedding was canceled; what is complete is kept.")


def _batches(
    paths: Sequence[Path], preprocessing: Preprocessing, batch_size: int
) -> Generator[Pixels]:
    """Decoded batches in order, read ahead by a bounded number of threads."""

    def load(start: int) -> Pixels:
        part = paths[start : start + batch_size]
        return np.stack([pixels(decode(path), preprocessing) for path in part])

    workers = min(16, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    ahead: deque[Future[Pixels]] = deque()
    try:
        for start in range(0, len(paths), batch_size):
            ahead.append(pool.submit(load, start))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _from_pixels(module: nn.Module, preprocessing: Preprocessing) -> nn.Module:
    """`module` behind the normalisation, so that bytes rather than floats are moved about."""
    import torch
    from torch import nn

    mean = 255 * torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    scale = 1 / (255 * torch.tensor(preprocessing.std).view(1, 3, 1, 1))

    class FromPixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.mean = nn.Buffer(mean)
            self.scale = nn.Buffer(scale)

        def forward(self, x: torch.Tensor) -> Any:
            return self.module((x.permute(0, 3, 1, 2).float() - self.mean) * self.scale)

    return FromPixels().eval()


def _openvino(
    module: nn.Module, size: int, batch_size: int, precision: str
) -> Callable[[Iterable[Pixels]], Iterator[Features]]:
    import openvino
    import torch

    shape = (batch_size, size, size, 3)
    rng = np.random.default_rng(0)
    example, unseen = (rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    with torch.inference_mode(), threadpool_limits(1, "openmp"), warnings.catch_warnings():
        # OpenMP's barriers stall (40-fold, measured) on busy cores, hence one thread; PyTorch's own
        # setting would reach other threads, too. What tracing got wrong, the comparison with
        # `expected` below finds.
        warnings.simplefilter("ignore")
        expected = module(torch.from_numpy(unseen)).numpy()
        traced = torch.jit.trace(module, torch.from_numpy(example), check_trace=False)
        converted = openvino.convert_model(traced, input=[(shape, openvino.Type.u8)])
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    compiled = openvino.Core().compile_model(converted, "CPU", hints)
    in_flight = 2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    got = compiled({0: unseen})[0]
    tolerance = 0.1 if precision == "bfloat16" else 1e-3
    error = float(np.abs(got - expected).max() / np.abs(expected).max())
    if not error <= tolerance:
        raise RuntimeError(f"its features differ by {error:.1e}")

    def run(batches: Iterable[Pixels]) -> Iterator[Features]:
        # Requests belong to one call: two threads may run the same encoder.
        free = [compiled.create_infer_request() for _ in range(in_flight)]
        busy: deque[tuple[Any, int]] = deque()

        def finish() -> Features:
            request, count = busy.popleft()
            request.wait()
            free.append(request)
            return np.array(request.get_output_tensor(0).data[:count], dtype=np.float32)

        for batch in batches:
            if not free:
                yield finish()
            request = free.pop()
            request.start_async({0: _padded(batch, batch_size)})
            busy.append((request, len(batch)))
        while busy:
            yield finish()

    return run


def _padded(batch: Pixels, batch_size: int) -> Pixels:
    missing = batch_size - len(batch)
    if missing <= 0:
        return batch
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.uint8)])


def _eager(
    module: nn.Module, precision: str, batch_size: int
) -> Callable[[Iterable[Pixels]], Iterator[Features]]:
    import torch

    def run(batches: Iterable[Pixels]) -> Iterator[Features]:
        for batch in batches:
            with torch.inference_mode(), _autocast("cpu", precision):
                features = module(torch.from_numpy(_padded(batch, batch_size))).float().numpy()
            yield features[: len(batch)]

    return run


def _cuda(
    module: nn.Module, device: str, precision: str
) -> Callable[[Iterable[Pixels]], Iterator[Features]]:
    import torch

    on_device = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(batches: Iterable[Pixels]) -> Iterator[Features]:
        busy: deque[torch.Tensor] = deque()
        for batch in batches:
            # TF32 (cudnn's default) would move float32 features by 1e-3.
            exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=precision != "float32")
            with torch.inference_mode(), exact, _autocast("cuda", precision):
                moved = torch.from_numpy(batch).pin_memory().to(device, non_blocking=True)
                busy.append(on_device(moved).float())
            if len(busy) > 2:
                yield busy.popleft().cpu().numpy()
        while busy:
            yield busy.popleft().cpu().numpy()

    return run


def _autocast(kind: str, precision: str) -> Any:
    import torch

    return torch.autocast(kind, torch.bfloat16) if precision == "bfloat16" else nullcontext()
