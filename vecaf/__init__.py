"""VeCAF Studio: finetune a pretrained vision model on the few images that matter.

selection = vecaf.select(features, budget=100)
selection.ids, selection.scores
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecaf.errors import InputError, VecafError

if TYPE_CHECKING:
    from vecaf.client import Client
    from vecaf.notebook import open_dataset as open
    from vecaf.selection import Selection, select

__all__ = ["Client", "InputError", "Selection", "VecafError", "open", "select"]


def __getattr__(name: str) -> object:
    """Import these on first use, so that `import vecaf` stays fast (PEP 562)."""
    if name == "Client":
        from vecaf.client import Client

        return Client
    if name == "open":
        from vecaf.notebook import open_dataset

        return open_dataset
    if name in ("select", "Selection"):
        from vecaf import selection

        return getattr(selection, name)
    raise AttributeError(f"module 'vecaf' has no attribute '{name}'")
