"""Pieces of pages, each with its JavaScript beside it."""
