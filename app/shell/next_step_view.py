"""A dataset's next step as HTML, for every page that offers it."""

from __future__ import annotations

from markupsafe import Markup

from vecaf.store.next_step import NextStep

from .templates import macros


def next_step_link(dataset_id: int, step: NextStep, style: str = "button primary") -> str:
    """Return a link to the step's page; its text names the step."""
    link: Markup = macros("shell", "next_step.html").step_link(dataset_id, step, style)
    return str(link)  # plain text: `str + Markup` would escape the text on its left
