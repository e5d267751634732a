from __future__ import annotations

from tests.datasets.conftest import nothing_imported, store

__all__ = ["nothing_imported", "store"]
