"""Commands on accounts: manage users, and share datasets with them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vecaf.commands.application import DatasetArgument, Json, app, open_store
from vecaf.commands.output import print_result, table
from vecaf.errors import InputError
from vecaf.wording import plural

users_app = typer.Typer(help="Manage the accounts of a studio that runs with `--auth`.")
app.add_typer(users_app, name="user")

Name = Annotated[str, typer.Argument(help="Name of the user.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@users_app.command()
def add(
    name: Name,
    password_stdin: PasswordStdin = False,
    with_local: Annotated[
        bool,
        typer.Option(
            "--with-local",
            help="Give the new user all datasets and runs that were created without accounts.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Add a user. Asks for the password twice."""
    from vecaf.accounts.users import add_user, transfer_all
    from vecaf.store import User

    store, _ = open_store()
    local = store.owner()
    password = _read_password(password_stdin)
    datasets = 0
    with store.write() as session:
        user = add_user(session, name, password)
        if with_local:
            datasets = transfer_all(session, session.get_one(User, local), user)
    text = f"Added {user.name}."
    if with_local:
        text += f" {user.name} received {plural(datasets, 'dataset')} from the local owner."
    print_result({"user": user.name, "datasets": datasets}, text, json)


@users_app.command("list")
def list_(json: Json = False) -> None:
    """List the users with their numbers of datasets, runs, and active logins."""
    from vecaf.accounts.users import list_users

    store, _ = open_store()
    with store.read() as session:
        summaries = list_users(session)
    rows = [
        [u.name, u.datasets, u.runs, u.logins if u.can_log_in else "no password"] for u in summaries
    ]
    listed = [
        {"name": u.name, "can_log_in": u.can_log_in, "datasets": u.datasets, "runs": u.runs,
         "logins": u.logins, "since": u.created_at.isoformat()}
        for u in summaries
    ]  # fmt: skip
    print_result({"users": listed}, table(["user", "datasets", "runs", "logins"], rows), json)


@users_app.command()
def password(name: Name, password_stdin: PasswordStdin = False, json: Json = False) -> None:
    """Change the password of a user and log the user out everywhere."""
    from vecaf.accounts.users import set_password, user_named

    store, _ = open_store()
    with store.read() as session:
        user_named(session, name)  # fail before asking for a password
    new_password = _read_password(password_stdin)
    with store.write() as session:
        user = set_password(session, name, new_password)
    text = f"Changed the password of {user.name} and ended all of this user's logins."
    print_result({"user": user.name}, text, json)


@users_app.command()
def remove(
    name: Name,
    give_to: Annotated[
        str,
        typer.Option(metavar="USER", help="Give the user's datasets and runs to this user."),
    ] = "",
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the user's datasets and runs.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove a user. If the user owns anything, pass --give-to or --delete."""
    import sqlalchemy as sa

    from vecaf.accounts.users import remove_user, transfer_all, user_named
    from vecaf.datasets.deletion import delete_dataset
    from vecaf.store import Dataset
    from vecaf.store.database import LOCAL_OWNER

    if give_to and delete:
        raise InputError("Pass either --give-to or --delete, not both.")
    store, _ = open_store()
    store.owner()  # creates the local owner, so that --give-to can name it
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
    text = f"Removed {user.name}."
    if delete:
        text += f" Deleted {plural(len(owned), 'dataset')}."
    elif give_to:
        text += f" {give_to} received {plural(len(owned), 'dataset')} from {user.name}."
    print_result({"user": user.name, "datasets": len(owned)}, text, json)


@app.command()
def share(
    dataset: DatasetArgument,
    user: Annotated[str, typer.Argument(help="User who may view the dataset and its runs.")],
    remove: Annotated[bool, typer.Option("--remove", help="Stop sharing with this user.")] = False,
    json: Json = False,
) -> None:
    """Share a dataset and its runs with another user. Only the owner can change them."""
    from vecaf.accounts import sharing
    from vecaf.store import dataset_named

    store, owner = open_store()
    with store.write() as session:
        found = dataset_named(session, owner, dataset)
        change = sharing.unshare if remove else sharing.share
        other = change(session, owner, found.id, user)
        names = sharing.shared_with(session, owner, found.id)
    text = f"'{found.name}' is {'no longer ' if remove else ''}shared with {other.name}."
    print_result({"dataset": found.id, "shared_with": names}, text, json)


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        line = sys.stdin.readline()
        return line.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise InputError("A password prompt needs a terminal. Pass --password-stdin.")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt="Repeat password")
    return password
