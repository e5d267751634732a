"""Data folders of tests share the models that are converted for OpenVINO.

To build and convert a model takes three seconds of processor time. Each new data folder would do it
again. tests/encoders/test_converted.py tests the conversion itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from vecaf.encoders.converted import FOLDER

VARIABLE = "VECAF_TEST_CONVERTED"
"""Names the shared folder. conftest.py creates it, and all processes of a session inherit it."""


def new_home(home: Path) -> Path:
    """Create a data folder that uses the shared converted models, and return it."""
    converted = home / "embeddings" / FOLDER
    converted.parent.mkdir(parents=True, exist_ok=True)
    if VARIABLE in os.environ and not converted.exists():  # not in a program outside of pytest
        converted.symlink_to(os.environ[VARIABLE], target_is_directory=True)
    return home
