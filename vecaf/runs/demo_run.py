"""The demo datasets (OpenMoji in color and as line art) and the small run on the first of them."""

from vecaf.config import RunConfig

COLOR, LINE = "openmoji", "openmoji-line"
SOURCES = {COLOR: "demo:color", LINE: "demo:line"}
"""The source of an import by dataset name."""

CONFIG = RunConfig(dataset=COLOR, budget="5%", rounds=4)
"""Finishes within a minute on two CPU cores, and still shows differences between strategies."""
