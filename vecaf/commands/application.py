"""What all commands share: the Typer application, common options, and access to the store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from vecaf.settings import Settings

if TYPE_CHECKING:
    from vecaf.store import Store

app = typer.Typer(
    help="Finetune a pretrained vision model on the few images that matter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Continue even if most images or runs on disk would be moved to the trash.",
    ),
]
DatasetArgument = Annotated[str, typer.Argument(help="Name of the dataset.")]


USER_VARIABLE = "VECAF_USER"


@app.callback()
def set_user(
    as_: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="USER",
            envvar=USER_VARIABLE,
            help="Run as this user. By default commands run as the local owner.",
        ),
    ] = "",
) -> None:
    """Finetune a pretrained vision model on the few images that matter."""
    os.environ[USER_VARIABLE] = as_


def open_store() -> tuple[Store, int]:
    """Open the store.

    Commands ask for no password: everyone who can run them can also read the files.

    Returns
    -------
    The store and the id of the user that the command runs as: `--as USER`, or the local owner.

    Raises
    ------
    NotFoundError
        The user does not exist.
    """
    from vecaf.accounts.users import user_named
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    name = os.environ.get(USER_VARIABLE)
    if not name:
        return store, store.owner()
    with store.read() as session:
        return store, user_named(session, name).id
