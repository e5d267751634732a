"""Import all modules that register request handlers."""

from vecaf.inference import predict, search_image, search_text, suggest_labels, warm_search

__all__ = ["predict", "search_image", "search_text", "suggest_labels", "warm_search"]
