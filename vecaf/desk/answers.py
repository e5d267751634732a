"""Importing this registers every answer."""

from vecaf.desk import search_image, search_text, suggest_labels

__all__ = ["search_image", "search_text", "suggest_labels"]
