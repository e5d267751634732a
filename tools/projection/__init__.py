"""Fit the projection of the installed VLM. Not part of the library."""
