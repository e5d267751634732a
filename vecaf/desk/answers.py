"""Importing this registers every answer."""

from vecaf.desk import search_image, search_text

__all__ = ["search_image", "search_text"]
