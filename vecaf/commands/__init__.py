"""The commands of `python -m vecaf`. Importing this package registers all of them."""

from vecaf.commands import (
    benchmark_command,
    dataset_commands,
    exchange_commands,
    home_commands,
    installation_commands,
    label_commands,
    mcp_command,
    predict_command,
    run_commands,
    studio_command,
    user_commands,
)
from vecaf.commands.application import app

__all__ = [
    "app",
    "benchmark_command",
    "dataset_commands",
    "exchange_commands",
    "home_commands",
    "installation_commands",
    "label_commands",
    "mcp_command",
    "predict_command",
    "run_commands",
    "studio_command",
    "user_commands",
]
