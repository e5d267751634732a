"""A model converted for OpenVINO once, which gets new weights as it trains.

Tracing and converting a model takes more than a second. A model that trains changes its weights
after every epoch, but not its operations. So its weights become inputs of the converted model, and
constants again before it is compiled.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from vecaf.encoders.backends import Converted, examples
from vecaf.encoders.openvino_import import load_openvino

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class _Operations:
    """The operations of a model, without its weights.

    Attributes
    ----------
    facts
        Names and shapes of the weights, image size and batch size. Other facts need a conversion.
    model
        Its inputs are the images and the weights, in the order of `facts`.
    """

    facts: tuple[object, ...]
    model: Any


class RepeatedConversion:
    """Convert the same module for OpenVINO again and again, with other weights each time.

    Use one object per training: the operations of a module must depend on nothing but its
    structure. Callers compare features with PyTorch's, as after any conversion.
    """

    def __init__(self) -> None:
        self._operations: _Operations | None = None

    def __call__(self, module: nn.Module, size: int, batch_size: int) -> Converted:
        """Convert a module; see `backends.convert`."""
        import torch

        weights = _weights(module)
        facts = (size, batch_size, *((name, tuple(each.shape)) for name, each in weights.items()))
        with torch.inference_mode(), threadpool_limits(1, "openmp"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing
            if self._operations is None or self._operations.facts != facts:
                self._operations = _Operations(facts, _convert(module, weights, size, batch_size))
            expected = module(torch.from_numpy(examples(batch_size, size)[1])).numpy()
        return Converted(_with_weights(self._operations.model, weights), expected)


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers that an evaluation uses, by name.

    A tensor that two layers share is there under both names.
    """
    parameters = module.named_parameters(remove_duplicate=False)
    tensors = {**dict(parameters), **dict(module.named_buffers(remove_duplicate=False))}
    return {name: each.detach() for name, each in tensors.items() if each.is_floating_point()}


def _convert(module: nn.Module, weights: dict[str, Tensor], size: int, batch_size: int) -> Any:
    """Convert a module to a model of images and weights."""
    ov = load_openvino()
    import torch

    class WithInputs(torch.nn.Module):
        def forward(self, images: Tensor, *given: Tensor) -> Any:
            with _replaced(module, dict(zip(weights, given, strict=True))):
                return module.forward(images)

    images = torch.from_numpy(examples(batch_size, size)[0])
    traced = torch.jit.trace(WithInputs(), (images, *weights.values()), check_trace=False)
    shapes = [(tuple(each.shape), ov.Type.f32) for each in weights.values()]
    return ov.convert_model(traced, input=[(tuple(images.shape), ov.Type.u8), *shapes])


@contextmanager
def _replaced(module: nn.Module, tensors: dict[str, Tensor]) -> Iterator[None]:
    """Replace weights of a module. PyTorch's `functional_call` does not work while tracing."""
    places: list[tuple[dict[str, Any], str]] = []
    for name in tensors:
        owner, _, own = name.rpartition(".")
        layer = module.get_submodule(owner)
        group: dict[str, Any] = layer._parameters if own in layer._parameters else layer._buffers
        places.append((group, own))
    before = [group[own] for group, own in places]
    try:
        for (group, own), tensor in zip(places, tensors.values(), strict=True):
            group[own] = tensor
        yield
    finally:
        for (group, own), tensor in zip(places, before, strict=True):
            group[own] = tensor


def _with_weights(operations: Any, weights: dict[str, Tensor]) -> Any:
    """Return a copy of a model of images and weights whose weights are constants."""
    ov = load_openvino()
    model = operations.clone()
    for given, tensor in zip(model.get_parameters()[1:], weights.values(), strict=True):
        constant = ov.op.Constant(np.ascontiguousarray(tensor.numpy()))
        for user in given.output(0).get_target_inputs():
            user.replace_source_output(constant.output(0))
        model.remove_parameter(given)
    return model
