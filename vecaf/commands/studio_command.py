"""`vecaf studio`: start the app."""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import typer

import vecaf
from vecaf.commands.application import app
from vecaf.errors import UnavailableError

INSTALLED, CHECKOUT = "vecaf_studio", "app"


@app.command(
    "studio",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def studio(context: typer.Context) -> None:
    """Start the studio and its worker. `vecaf studio --help` lists the options."""
    module = _module()
    sys.argv = [module, *context.args]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _module() -> str:
    """Return the package of the app: the installed one, or the folder beside `vecaf`."""
    if find_spec(INSTALLED) is not None:
        return INSTALLED
    if (Path(vecaf.__file__).parents[1] / CHECKOUT / "__main__.py").is_file():
        return CHECKOUT
    raise UnavailableError(
        "The app is not installed. Install the whole package. In the repository, run: pip install ."
    )
