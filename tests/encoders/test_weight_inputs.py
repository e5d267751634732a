"""A model that trains is traced once, and computes the same features as in PyTorch afterwards."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vecaf.encoders import load_pvm
from vecaf.encoders.backends import convert, examples, from_pixels, openvino
from vecaf.encoders.weight_inputs import RepeatedConversion

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="needs OpenVINO")

SIZE, BATCH = 32, 2


def changed(model: nn.Module, seed: int) -> nn.Module:
    """Change all weights in place, as a training does."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + 0.05 * torch.randn(weight.shape, generator=generator))
    return model


def features(converted: Any) -> Any:
    run = openvino(converted, SIZE, BATCH, "float32", threads=1)  # compares them with PyTorch's
    return next(run(iter([examples(BATCH, SIZE)[1]])))


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that gets an item whenever a model is traced."""
    calls: list[object] = []
    trace: Any = torch.jit.trace

    def counted(*given: Any, **options: Any) -> Any:
        calls.append(given[0])
        return trace(*given, **options)

    monkeypatch.setattr(torch.jit, "trace", counted)
    return calls


@pytest.mark.soak
def test_new_weights_need_no_tracing(traced: list[object]) -> None:
    pvm = load_pvm("efficientnet_lite0", SIZE)
    model, repeated = pvm.build(), RepeatedConversion()
    wrapped = from_pixels(model, pvm.preprocessing)
    before = features(repeated(wrapped, SIZE, BATCH))
    changed(model.to(memory_format=torch.channels_last), 1)  # type: ignore[call-overload]
    found = features(repeated(wrapped, SIZE, BATCH))
    assert len(traced) == 1
    assert not np.allclose(before, found, rtol=0.01)
    assert np.allclose(found, features(convert(wrapped, SIZE, BATCH)), rtol=1e-3, atol=1e-4)
    assert isinstance(next(model.parameters()), nn.Parameter)  # as before tracing


def test_another_structure_is_converted_anew(traced: list[object]) -> None:
    pvm = load_pvm("efficientnet_lite0", SIZE)
    repeated = RepeatedConversion()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 4))
    square = nn.Linear(4, 4)
    deep = nn.Sequential(flat, square, nn.ReLU(), square)  # uses its weights twice
    for model in (flat, flat, deep, deep):
        features(repeated(from_pixels(changed(model, 2), pvm.preprocessing), SIZE, BATCH))
    assert len(traced) == 2
