"""What every command shares: the application they register with, their usual options, the store."""

from __future__ import annotations

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
DatasetArgument = Annotated[str, typer.Argument(help="The dataset's name.")]


def opened() -> tuple[Store, int]:
    """The store and whose commands these are: the local owner's."""
    from vecaf.store import Store

    store = Store.open(Settings.from_environment())
    return store, store.owner()
