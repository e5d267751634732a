"""Commands on accounts: who may log in to the studio, and who else may read a dataset."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vecaf.commands.shared import DatasetArgument, Json, app, opened
from vecaf.commands.terminal import show, table
from vecaf.errors import InputError

users_app = typer.Typer(help="Who may log in where `python -m app --auth` runs.")
app.add_typer(users_app, name="user")

Name = Annotated[str, typer.Argument(help="The user's name.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@users_app.command()
def add(
    name: Name,
    password_stdin: FromStdin = False,
    with_local: Annotated[
        bool,
        typer.Option("--with-local", help="What was made here without accounts becomes theirs."),
    ] = False,
    json: Json = False,
) -> None:
    """Add a user; asks for the password twice."""
    from vecaf.accounts.users import add_user, transfer_all
    from vecaf.store import User

    store, _ = opened()
    local = store.owner()
    password = _password(password_stdin)
    given = 0
    with store.write() as session:
        user = add_user(session, name, password)
        if with_local:
            given = transfer_all(session, session.get_one(User, local), user)
    words = f" What was here is theirs: {given:,} datasets." if with_local else ""
    show({"user": user.name, "datasets": given}, f"{user.name} can log in.{words}", json)


@users_app.command("list")
def list_(json: Json = False) -> None:
    """List the users, what they own, and where they are logged in."""
    from vecaf.accounts.users import list_users

    store, _ = opened()
    with store.read() as session:
        found = list_users(session)
    rows = [
        [u.name, u.datasets, u.runs, u.logins if u.can_log_in else "no password"] for u in found
    ]
    listed = [
        {"name": u.name, "can_log_in": u.can_log_in, "datasets": u.datasets, "runs": u.runs,
         "logins": u.logins, "since": u.created_at.isoformat()}
        for u in found
    ]  # fmt: skip
    show({"users": listed}, table(["user", "datasets", "runs", "logins"], rows), json)


@users_app.command()
def password(name: Name, password_stdin: FromStdin = False, json: Json = False) -> None:
    """Give a user another password; all their logins end."""
    from vecaf.accounts.users import set_password, user_named

    store, _ = opened()
    with store.read() as session:
        user_named(session, name)  # before anything is asked
    given = _password(password_stdin)
    with store.write() as session:
        user = set_password(session, name, given)
    show({"user": user.name}, f"{user.name} has a new password; earlier logins have ended.", json)


@users_app.command()
def remove(
    name: Name,
    give_to: Annotated[str, typer.Option(help="Who gets what they own.")] = "",
    delete: Annotated[bool, typer.Option("--delete", help="Delete what they own.")] = False,
    json: Json = False,
) -> None:
    """Take a user's account away; what they own must go somewhere, or go."""
    import sqlalchemy as sa

    from vecaf.accounts.users import remove_user, transfer_all, user_named
    from vecaf.datasets.deletion import delete_dataset
    from vecaf.store import Dataset
    from vecaf.store.database import LOCAL_OWNER

    if give_to and delete:
        raise InputError("Give either --give-to or --delete.")
    store, _ = opened()
    store.owner()  # so that there is one to give things to
    with store.read() as session:
        user = user_named(session, name)
        owned = session.scalars(sa.select(Dataset.id).where(Dataset.owner_id == user.id)).all()
    if delete and user.name != LOCAL_OWNER:
        for dataset_id in owned:
            delete_dataset(store, user.id, dataset_id)
    with store.write() as session:
        user = user_named(session, name)
        if give_to and user.name != LOCAL_OWNER:
            transfer_all(session, user, user_named(session, give_to))
        remove_user(session, name)
    became = f" {len(owned):,} datasets went to {give_to}." if give_to else ""
    became = f" {len(owned):,} datasets were deleted." if delete else became
    show({"user": user.name, "datasets": len(owned)}, f"{user.name} is removed.{became}", json)


@app.command()
def share(
    dataset: DatasetArgument,
    user: Annotated[str, typer.Argument(help="Who may read it, with its runs.")],
    remove: Annotated[bool, typer.Option("--remove", help="No longer.")] = False,
    json: Json = False,
) -> None:
    """Let another user read a dataset and its runs; only its owner can change them."""
    from vecaf.accounts import sharing
    from vecaf.store import dataset_named

    store, owner = opened()
    with store.write() as session:
        found = dataset_named(session, owner, dataset)
        act = sharing.unshare if remove else sharing.share
        other = act(session, owner, found.id, user)
        names = sharing.shared_with(session, owner, found.id)
    words = f"'{found.name}' is {'no longer ' if remove else ''}shared with {other.name}."
    show({"dataset": found.id, "shared_with": names}, words, json)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        line = sys.stdin.readline()
        return line.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise InputError("Nobody is there to be asked: give --password-stdin.")
    given: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return given
