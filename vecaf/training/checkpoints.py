"""Checkpoints of a training: a safetensors file with the state in its header."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vecaf.encoders.weights import check_holdable
from vecaf.errors import DamagedFileError
from vecaf.files import Publishing, replacing
from vecaf.training.state import AveragedWeights, TrainState

RESTORE = "Restore a backup, or finetune again."


def save_state(
    path: Path,
    state: TrainState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaged: AveragedWeights | None,
    publishing: Publishing = nullcontext,
) -> None:
    """Save a checkpoint atomically.

    It contains only trainable weights. The others are the pretrained ones.

    Parameters
    ----------
    path
        The file to write.
    state
        Progress of the training.
    model, optimizer, averaged
        What `restore_state` restores.
    publishing
        The context in which the file appears; see `vecaf.files.replacing`.
    """
    tensors = {
        f"model.{name}": value.detach()
        for name, value in model.named_parameters()
        if value.requires_grad
    }
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            tensors[f"optimizer.{index}.{name}"] = value
    numbers = asdict(state)
    if averaged is not None:
        tensors |= {f"averaged.{name}": value for name, value in averaged.weights.items()}
        numbers["updates"] = averaged.updates
    save_tensors(path, tensors, {"state": json.dumps(numbers)}, publishing)


def restore_state(
    saved: tuple[dict[str, Tensor], dict[str, str]],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaged: AveragedWeights | None,
) -> TrainState:
    """Restore a checkpoint into `model`, `optimizer` and `averaged`.

    Parameters
    ----------
    saved
        What `load_tensors` read from the file.

    Returns
    -------
    TrainState
        The progress of the training.
    """
    tensors, metadata = saved
    numbers = json.loads(metadata["state"])
    parameters = dict(model.named_parameters())
    slots: dict[int, dict[str, Tensor]] = {}
    with torch.no_grad():
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            if part == "model":
                parameters[rest].copy_(value)
            elif part == "averaged" and averaged is not None:
                averaged.weights[rest].copy_(value)
            elif part == "optimizer":
                index, _, slot = rest.partition(".")
                slots.setdefault(int(index), {})[slot] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
    for parameter, slot in optimizer.state.items():
        for name, value in slot.items():
            if value.shape == parameter.shape:  # a fused optimizer step needs equal memory layouts
                slot[name] = torch.empty_like(parameter).copy_(value)
    if averaged is not None:
        averaged.updates = numbers["updates"]
    numbers.pop("updates", None)
    return TrainState(**numbers)


def save_tensors(
    path: Path,
    tensors: dict[str, Tensor],
    metadata: dict[str, str],
    publishing: Publishing = nullcontext,
) -> None:
    """Write a safetensors file atomically and durably; see `vecaf.files.replacing`.

    Parameters
    ----------
    path
        The file to write.
    tensors
        By name.
    metadata
        Strings for the header, by name.
    publishing
        The context in which the file appears.
    """
    with replacing(path, publishing=publishing) as temporary:
        save_file(
            {name: value.contiguous() for name, value in tensors.items()}, temporary, metadata
        )


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file.

    Returns
    -------
    tensors : dict
        By name.
    metadata : dict
        Strings from the header, by name.

    Raises
    ------
    DamagedFileError
        If the file is missing or damaged.
    InputError
        If the file is larger than this machine's memory.
    """
    try:
        check_holdable(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise DamagedFileError(f"The file {path.name} is missing. {RESTORE}") from error
    except SafetensorError as error:
        raise DamagedFileError(f"The file {path.name} is damaged ({error}). {RESTORE}") from error
