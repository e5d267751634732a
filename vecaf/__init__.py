"""VeCAF Studio: finetune a pretrained vision model on the few images that matter.

selection = vecaf.select(features, budget=100)
selection.ids, selection.scores
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecaf.errors import InputError, VecafError

if TYPE_CHECKING:
    from vecaf.selection import Selection, select

__all__ = ["InputError", "Selection", "VecafError", "select"]


def __getattr__(name: str) -> object:
    """Import `vecaf.selection` on first use, so that `import vecaf` stays fast (PEP 562)."""
    if name in ("select", "Selection"):
        from vecaf import selection

        return getattr(selection, name)
    raise AttributeError(f"module 'vecaf' has no attribute '{name}'")
