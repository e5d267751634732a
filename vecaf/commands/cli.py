"""The entry point of `python -m vecaf`: run a command and turn errors into a message and a status.

Each command opens the store, calls another package to do the work, and prints the result: text, or
one JSON object with --json. Exit statuses: 0 success, 1 failure, 2 invalid usage or input.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import typer

from vecaf.commands import app
from vecaf.commands.output import print_error
from vecaf.errors import CanceledError, InputError, VecafError, first_line

__all__ = ["app", "main"]

INTERRUPTED = 130  # the status that Typer returns after Ctrl-C
ClickException: Any = typer.BadParameter.__mro__[2]  # Typer bundles its own copy of Click


def main() -> None:
    """Run the command line and exit with its status."""
    as_json = "--json" in sys.argv
    if isinstance(sys.stdout, TextIOWrapper):  # a path can hold bytes that no encoding can print
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
    except ClickException as error:
        print_error(error.format_message(), as_json)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt, CanceledError):
        print_error("Stopped.", as_json)
        sys.exit(1)
    except VecafError as error:
        print_error(str(error), as_json)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        if error.filename is None:  # not about a path that the user passed
            raise
        print_error(f"Can't use {error.filename}: {error.strerror}.", as_json)
        sys.exit(1)
    except Exception as error:
        sqlalchemy = sys.modules.get("sqlalchemy")  # imported already if it raised the error
        if sqlalchemy is None or not isinstance(error, sqlalchemy.exc.DatabaseError):
            raise
        if "malformed" in str(error):
            print_error("The database is damaged. Run: python -m vecaf doctor", as_json)
            sys.exit(1)
        if not isinstance(error, sqlalchemy.exc.OperationalError):
            raise
        reason = first_line(getattr(error, "orig", None) or error)
        print_error(f"Can't use the database ({reason}). Try again in a moment.", as_json)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
