"""Ids in requests. Others than those of the database are refused before a handler runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

LARGEST = 2**63 - 1  # the largest id in a database
Id = Annotated[int, Path(ge=1, le=LARGEST)]
QueryId = Annotated[int, Query(ge=1, le=LARGEST)]
