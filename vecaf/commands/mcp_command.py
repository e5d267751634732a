"""`vecaf mcp`: let an agent use a studio."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from vecaf.commands.application import app
from vecaf.errors import InputError, UnavailableError
from vecaf.wording import installation

PASSWORD = "VECAF_PASSWORD"


@app.command()
def mcp(
    studio: Annotated[str, typer.Option(help="Address of the studio.")] = "http://127.0.0.1:7860",
    username: Annotated[
        str, typer.Option(help=f"Log in as this user, with the password in {PASSWORD}.")
    ] = "",
) -> None:
    """Serve the studio's tools to an agent on standard input and output (MCP)."""
    from vecaf.client import Client

    try:
        from vecaf.client.agents import mcp_server
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"The package '{error.name}' is missing. {installation('agents')}"
        ) from error
    password = os.environ.get(PASSWORD)
    if username and not password:
        raise InputError(f"Set {PASSWORD} to the password of '{username}'.")
    with Client(studio, username or None, password) as client:
        mcp_server(client).run("stdio")
