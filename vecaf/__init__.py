"""VeCAF Studio: finetune a pretrained vision model on the few images that matter.

picked = vecaf.select(features, budget=100)
picked.ids, picked.scores
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecaf.errors import InputError, VecafError

if TYPE_CHECKING:
    from vecaf.selection import Selection, select

__all__ = ["InputError", "Selection", "VecafError", "select"]


def __getattr__(name: str) -> object:
    """Import the selection room at first use: `import vecaf` itself stays light (PEP 562)."""
    if name in ("select", "Selection"):
        from vecaf import selection

        return getattr(selection, name)
    raise AttributeError(f"module 'vecaf' has no attribute '{name}'")
