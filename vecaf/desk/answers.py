"""Importing this registers every answer."""

from vecaf.desk import export_model, predict, search_image, search_text, suggest_labels

__all__ = ["export_model", "predict", "search_image", "search_text", "suggest_labels"]
