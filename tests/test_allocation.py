"""The C library of this machine accepts the settings of `vecaf.allocation`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vecaf.allocation import TUNABLES, VARIABLE, with_fast_allocation

LOADERS = sorted(Path("/").glob("lib*/ld-linux-*.so.*"))


@pytest.mark.skipif(not LOADERS, reason="needs the GNU C library")
def test_the_settings_are_accepted() -> None:
    environment = with_fast_allocation({"LC_ALL": "C"})
    listed = subprocess.run(
        [LOADERS[0], "--list-tunables"], env=environment, check=True, capture_output=True, text=True
    ).stdout
    lines = (line.split() for line in listed.splitlines())
    values = {words[0]: words[1] for words in lines if len(words) > 1}
    for name, wanted in (one.split("=") for one in TUNABLES.split(":")):
        assert int(values[f"{name}:"], 16) == int(wanted), name


def test_a_value_of_the_user_is_kept() -> None:
    assert with_fast_allocation({VARIABLE: "mine"}) == {VARIABLE: "mine"}
