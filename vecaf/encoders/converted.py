"""Models converted for OpenVINO on disk: later processes neither build nor convert them.

Building, tracing and converting a model takes seconds and needs PyTorch; reading a converted one
does not. A file contains the model in OpenVINO's format, which any processor can compile, and the
features that PyTorch computed for an example, which are compared again after each compilation.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from vecaf.encoders.backends import Converted
from vecaf.encoders.openvino_import import load_openvino
from vecaf.errors import UnavailableError
from vecaf.files import replacing

FOLDER = "converted"
MAX_BYTES = 1 << 30  # of all files; the least recently used ones are deleted
FORMAT = 1  # increase it if `backends.convert` changes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertedModels:
    """The converted models in a folder. Several processes can read and write it."""

    folder: Path

    def load(self, fingerprint: str, batch_size: int) -> Converted | None:
        """Return a converted model; None, after deleting its file, if it is missing or damaged."""
        ov = load_openvino()
        path = self._path(fingerprint, batch_size)
        try:
            with np.load(path, allow_pickle=False) as parts:  # verifies the checksums
                xml, weights = (parts[name].tobytes() for name in ("xml", "weights"))
                expected = np.array(parts["expected"])
            model = ov.Core().read_model(model=xml, weights=weights)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            log.warning("The converted model %s can't be read (%s).", path.name, error)
            self.discard(fingerprint, batch_size)
            return None
        return Converted(model, expected)

    def discard(self, fingerprint: str, batch_size: int) -> None:
        """Delete the file of a model."""
        self._path(fingerprint, batch_size).unlink(missing_ok=True)

    def save(self, fingerprint: str, batch_size: int, converted: Converted) -> None:
        """Write a converted model, unless it is too large or the disk can't be written."""
        path = self._path(fingerprint, batch_size)
        try:
            parts: dict[str, Any] = {"expected": converted.expected}
            parts |= _serialized(converted.model)
            if sum(part.nbytes for part in parts.values()) > MAX_BYTES // 2:
                return
            with replacing(path, durable=False) as temporary, temporary.open("wb") as file:
                np.savez(file, **parts)
            self._delete_least_recently_used()
        except (OSError, UnavailableError) as error:
            log.warning("The converted model was not saved: %s", error)

    def _path(self, fingerprint: str, batch_size: int) -> Path:
        facts = (FORMAT, fingerprint, batch_size, version("openvino"), version("torch"))
        return self.folder / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.npz"

    def _delete_least_recently_used(self) -> None:
        files = [
            (path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob("*.npz")
        ]
        left = MAX_BYTES
        for _, size, path in sorted(files, reverse=True):
            left -= size
            if left < 0:
                path.unlink(missing_ok=True)


def _serialized(model: Any) -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    ov = load_openvino()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        return {
            "xml": np.frombuffer(path.read_bytes(), np.uint8),
            "weights": np.frombuffer(path.with_suffix(".bin").read_bytes(), np.uint8),
        }
