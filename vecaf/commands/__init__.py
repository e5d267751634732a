"""The commands of `python -m vecaf`: importing this registers them all."""

from vecaf.commands import data, installation, runs
from vecaf.commands.shared import app

__all__ = ["app", "data", "installation", "runs"]
