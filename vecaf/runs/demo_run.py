"""The demo that ships: OpenMoji in colour and its line-art twin, and a small run on the first."""

from vecaf.config import RunConfig

COLOR, LINE = "openmoji", "openmoji-line"
SOURCES = {COLOR: "demo:color", LINE: "demo:line"}
"""Dataset name → what an import is queued with."""

CONFIG = RunConfig(dataset=COLOR, budget="5%", rounds=4)
"""Small enough to finish within a minute on two cores, large enough to show a difference."""
