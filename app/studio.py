"""What every handler and route needs: the settings, the store, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass

from vecaf.settings import Settings
from vecaf.store import Store


@dataclass(frozen=True)
class Studio:
    settings: Settings
    store: Store

    def user(self, request: object) -> int:
        """The id of whoever sent `request` (a FastAPI or a Gradio one).

        Without accounts that is the local owner. Accounts change this method, not its callers.
        """
        return self.store.owner()
