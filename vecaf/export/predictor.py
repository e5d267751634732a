"""Writing a finetuned model to files, and loading it for prediction."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vecaf.arrays import softmax
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.pvm import PVM
from vecaf.encoders.runtime import choose_device
from vecaf.encoders.views import with_views
from vecaf.errors import InputError, VecafError
from vecaf.export.model_files import CONFIG, LABELS, WEIGHTS
from vecaf.files import Publishing, write_bytes
from vecaf.training.checkpoints import load_tensors, save_tensors
from vecaf.training.model import Classifier, Head
from vecaf.training.prediction import predict
from vecaf.training.target_head import TargetHead

FORMAT = 1  # of config.json; increase it if old code would misread a new file


def export_model(
    classifier: Classifier,
    pvm: PVM,
    classes: Sequence[str],
    folder: Path,
    publishing: Publishing = nullcontext,
) -> None:
    """Write `model.safetensors`, `config.json` and `labels.json`.

    `Predictor.load` needs only these three files. The original pretrained weights are not needed.

    Parameters
    ----------
    classifier
        The finetuned model.
    pvm
        The backbone that was finetuned. Its architecture and preprocessing go into `config.json`.
    classes
        Class names, in the order of the logits.
    folder
        The destination folder.
    publishing
        The context in which the files appear; see `vecaf.files.replacing`.
    """
    tensors = {name: value.detach().cpu() for name, value in classifier.state_dict().items()}
    save_tensors(folder / WEIGHTS, tensors, {"format": "pt"}, publishing)
    config = {
        "format": FORMAT,
        "architecture": pvm.architecture,
        "image_size_fixed": bool(pvm.patch_size),
        "feature_dim": pvm.feature_dim,
        "preprocessing": pvm.preprocessing.as_dict(),
        "target_domain": isinstance(classifier.head, TargetHead),
    }
    write_bytes(folder / CONFIG, _json(config), publishing=publishing)
    write_bytes(folder / LABELS, _json(list(classes)), publishing=publishing)


@dataclass(frozen=True)
class Predictor:
    """A finetuned model, loaded from exported files."""

    model: Classifier
    preprocessing: Preprocessing
    classes: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Predictor:
        """Load an exported model.

        Parameters
        ----------
        folder
            A folder written by `export_model`.
        device
            A torch device. The default "auto" prefers a GPU.

        Raises
        ------
        InputError
            If a file is missing or damaged.
        """
        config, classes = _read_json(folder / CONFIG, dict), _read_json(folder / LABELS, list)
        if config.get("format") != FORMAT:
            raise InputError(
                f"{folder / CONFIG} has format {config.get('format')}, but this version reads "
                f"format {FORMAT}. Update VeCAF Studio, or export the run again."
            )
        try:
            stored: dict[str, Any] = config["preprocessing"]
            for name in ("mean", "std"):
                stored[name] = tuple(stored[name])
            preprocessing = Preprocessing(**stored)
            mean = torch.zeros(config["feature_dim"])
            kind = TargetHead if config.get("target_domain") else Head
            head = kind(mean, len(classes))
            model = Classifier(_architecture(config, preprocessing), head)
        except (KeyError, TypeError, RuntimeError) as error:
            raise InputError(
                f"{folder / CONFIG} does not describe a model ({error}). Export the run again."
            ) from error
        try:
            model.load_state_dict(load_tensors(folder / WEIGHTS)[0])
        except (RuntimeError, VecafError) as error:
            raise InputError(
                f"{folder / WEIGHTS} does not match {CONFIG}: {str(error).splitlines()[0]} Export "
                "the run again."
            ) from error
        return cls(model.to(choose_device(device)).eval(), preprocessing, tuple(classes))

    def logits(
        self,
        paths: Sequence[Path],
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Compute the logits of image files.

        Parameters
        ----------
        paths
            The n image files.
        progress
            Called with the number of finished images and the total.

        Returns
        -------
        array of shape (n, classes)

        Raises
        ------
        InputError
            If an image can't be read.
        """
        return predict(self.model, list(paths), self.preprocessing, progress=progress)[1]

    def predict(self, path: Path, top: int = 5) -> dict[str, float]:
        """Return the `top` most probable classes of an image file, most probable first.

        Returns
        -------
        dict
            Class name to probability, from 0 to 1.

        Raises
        ------
        InputError
            If the image can't be read.
        """
        shares = softmax(self.logits([path]))[0]
        order = np.argsort(-shares, kind="stable")[:top]
        return {self.classes[index]: float(shares[index]) for index in order}


def _architecture(config: dict[str, Any], preprocessing: Preprocessing) -> torch.nn.Module:
    import timm

    size: dict[str, Any] = {}
    if config["image_size_fixed"]:
        size["img_size"] = preprocessing.image_size
    model: torch.nn.Module = timm.create_model(
        config["architecture"], pretrained=False, num_classes=0, **size
    )
    return with_views(model, preprocessing.views, preprocessing.image_size)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Pass the folder of an exported model.") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}). Export the run again.") from error
    if not isinstance(value, kind):
        raise InputError(f"{path} does not have the format of an export. Export the run again.")
    return value
