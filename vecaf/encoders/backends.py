"""How an encoder runs: by OpenVINO, on a GPU, or in PyTorch. Batches in, features out."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from vecaf.encoders.openvino_import import load_openvino
from vecaf.encoders.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch
    from torch import nn

PixelBatch = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]


def from_pixels(module: nn.Module, preprocessing: Preprocessing) -> nn.Module:
    """Prepend the normalization to a module, so that bytes are transferred, not floats."""
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


@dataclass(frozen=True)
class Converted:
    """A model that was converted for OpenVINO, and its features of `examples` in PyTorch."""

    model: Any
    expected: Features


class Conversion(Protocol):
    """Converts a module for OpenVINO: `convert`, or one that reuses an earlier conversion."""

    def __call__(self, module: nn.Module, size: int, batch_size: int, /) -> Converted: ...


def examples(batch_size: int, size: int) -> tuple[PixelBatch, PixelBatch]:
    """Return pixels to trace a model with, and other pixels to compare its features on."""
    rng = np.random.default_rng(0)
    shape = (batch_size, size, size, 3)
    example, unseen = (rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    return example, unseen


def convert(module: nn.Module, size: int, batch_size: int) -> Converted:
    """Convert a module for OpenVINO. Its input is uint8 (batch_size, size, size, 3)."""
    ov = load_openvino()
    import torch

    example, unseen = examples(batch_size, size)
    with torch.inference_mode(), threadpool_limits(1, "openmp"), warnings.catch_warnings():
        # On busy cores, several OpenMP threads take 40 times as long (measured). PyTorch's own
        # setting would change other threads, too. The comparison below finds tracing errors.
        warnings.simplefilter("ignore")
        expected = module(torch.from_numpy(unseen)).numpy()
        traced = torch.jit.trace(module, torch.from_numpy(example), check_trace=False)
        return Converted(ov.convert_model(traced, input=[(example.shape, ov.Type.u8)]), expected)


def openvino(
    converted: Converted, size: int, batch_size: int, precision: str, threads: int = 0
) -> Callable[[Iterable[PixelBatch]], Iterator[Features]]:
    """Compile a converted model. Raises RuntimeError if its features differ from PyTorch's."""
    ov = load_openvino()
    _, unseen = examples(batch_size, size)
    expected = converted.expected
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    if threads:  # otherwise it uses all cores
        hints["INFERENCE_NUM_THREADS"] = str(threads)
    compiled = ov.Core().compile_model(converted.model, "CPU", hints)
    in_flight = 2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    got = compiled({0: unseen})[0]
    tolerance = 0.1 if precision == "bfloat16" else 1e-3
    error = float(np.abs(got - expected).max() / np.abs(expected).max())
    if not error <= tolerance:
        raise RuntimeError(f"its features differ by {error:.1e}")

    def run(batches: Iterable[PixelBatch]) -> Iterator[Features]:
        # Each call has its own requests: two threads may run the same encoder.
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


def _padded(batch: PixelBatch, batch_size: int) -> PixelBatch:
    missing = batch_size - len(batch)
    if missing <= 0:
        return batch
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.uint8)])


def eager(
    module: nn.Module, precision: str, batch_size: int
) -> Callable[[Iterable[PixelBatch]], Iterator[Features]]:
    import torch

    def run(batches: Iterable[PixelBatch]) -> Iterator[Features]:
        for batch in batches:
            with torch.inference_mode(), _autocast("cpu", precision):
                features = module(torch.from_numpy(_padded(batch, batch_size))).float().numpy()
            yield features[: len(batch)]

    return run


def cuda(
    module: nn.Module, device: str, precision: str
) -> Callable[[Iterable[PixelBatch]], Iterator[Features]]:
    import torch

    on_device = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(batches: Iterable[PixelBatch]) -> Iterator[Features]:
        busy: deque[torch.Tensor] = deque()
        for batch in batches:
            # TF32 (cuDNN's default) would change float32 features by 1e-3.
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
