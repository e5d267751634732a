"""Arrays that a task leaves for a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecaf.files import replacing


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that a page finds it whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
