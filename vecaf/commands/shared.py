"""What every command shares: the application they register with, their usual options, the store."""

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
        "--force", help="Go on even if the database doesn't name most of the images or runs."
    ),
]
DatasetArgument = Annotated[str, typer.Argument(help="The dataset's name.")]


USER = "VECAF_USER"


@app.callback()
def whose(
    as_: Annotated[
        str, typer.Option("--as", envvar=USER, help="Act as this user, not the local owner.")
    ] = "",
) -> None:
    """Finetune a pretrained vision model on the few images that matter."""
    os.environ[USER] = as_


def opened() -> tuple[Store, int]:
    """The store and whose commands these are: the local owner's, or --as USER's.

    No password is asked for: who may run commands here may read the files as well. Raises
    NotFoundError for a user that does not exist.
    """
    from vecaf.accounts.users import user_named
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    name = os.environ.get(USER)
    if not name:
        return store, store.owner()
    with store.read() as session:
        return store, user_named(session, name).id
