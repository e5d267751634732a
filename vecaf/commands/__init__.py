"""The commands of `python -m vecaf`: importing this registers them all."""

from vecaf.commands import benchmark, data, installation, runs, users
from vecaf.commands.shared import app

__all__ = ["app", "benchmark", "data", "installation", "runs", "users"]
