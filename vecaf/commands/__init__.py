"""The commands of `python -m vecaf`: importing this registers them all."""

from vecaf.commands import backup, benchmark, data, installation, runs, studio, users
from vecaf.commands.shared import app

__all__ = ["app", "backup", "benchmark", "data", "installation", "runs", "studio", "users"]
