"""The data folder that the database belongs to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from vecaf.store.models.base import Base, now


class Home(Base):
    """The data folder with the files of this database; one row (see `vecaf.store.home`)."""

    __tablename__ = "home"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(16))  # the content of the file `home-id`
    path: Mapped[str] = mapped_column(Text)  # at first use; it may have moved
    host: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
