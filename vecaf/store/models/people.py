"""Users, logins and shared datasets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from vecaf.store.models.base import Base, now


class User(Base):
    """A user. Without accounts, there is only the local owner.

    The row of a removed user stays, since labels refer to it, and its id is not reused.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)  # argon2id; None: no login
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Login(Base):
    """A login in one browser. Only the browser has the token; this is its hash."""

    __tablename__ = "login"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256, hex
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)


class LoginFailure(Base):
    """The number of consecutive wrong passwords (see `vecaf.accounts.throttle`).

    A count of 0 records the last successful login with a name from an address.
    """

    __tablename__ = "login_failure"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256, see throttle
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(default=now)


class Share(Base):
    """A dataset that its owner shares with a user, who can read it and its runs."""

    __tablename__ = "share"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)
