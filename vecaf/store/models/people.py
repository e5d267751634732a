"""Who owns things, who is logged in, and what is shared with whom."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from vecaf.store.models.base import Base, now


class User(Base):
    """Who owns things; without accounts there is one, the local owner.

    A removed user's row stays: what they labelled names them, and their id is never another's.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)  # argon2id; None can't log in
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Login(Base):
    """Somebody who is logged in, in one browser. The token itself is nowhere but there."""

    __tablename__ = "login"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256, hex
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)


class LoginFailure(Base):
    """How often in a row a password was wrong (`vecaf.accounts.throttle`).

    A count of 0 marks the last login of a name from an address.
    """

    __tablename__ = "login_failure"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256: a name may be a slip
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(default=now)


class Share(Base):
    """A dataset, with its runs, that a user may read though another one owns it."""

    __tablename__ = "share"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)
