"""`python -m vecaf …`: the commands of `vecaf.commands`, errors as sentences, exit statuses.

Commands open the store, ask a room to do the work, and print its result: a sentence or a table,
or with --json one JSON object. Exit status: 0 done, 2 bad usage or input, 1 failure.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import typer

from vecaf.commands import app
from vecaf.commands.terminal import complain
from vecaf.errors import CanceledError, InputError, VecafError, first_line

__all__ = ["app", "main"]

INTERRUPTED = 130  # what Typer makes of Ctrl-C
ClickException: Any = typer.BadParameter.__mro__[2]  # Typer carries a Click of its own


def main() -> None:
    """Run the command line; errors of ours become a sentence and an exit status."""
    as_json = "--json" in sys.argv
    if isinstance(sys.stdout, TextIOWrapper):  # a path may hold what no encoding can write
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
    except ClickException as error:
        complain(error.format_message(), as_json)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt, CanceledError):
        complain("Stopped.", as_json)
        sys.exit(1)
    except VecafError as error:
        complain(str(error), as_json)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        if error.filename is None:  # of no path that somebody gave
            raise
        complain(f"{error.filename} can't be used ({error.strerror}).", as_json)
        sys.exit(1)
    except Exception as error:
        database = sys.modules.get("sqlalchemy")  # whoever raises its errors has imported it
        if database is None or not isinstance(error, database.exc.DatabaseError):
            raise
        if "malformed" in str(error):
            complain("The database is damaged. See: python -m vecaf doctor", as_json)
            sys.exit(1)
        if not isinstance(error, database.exc.OperationalError):
            raise
        said = first_line(getattr(error, "orig", None) or error)
        complain(f"The database could not be used ({said}). Try again in a moment.", as_json)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
