"""Array files that a task writes and a page reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.files import replacing


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file atomically."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
