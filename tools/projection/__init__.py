"""Fit the embedded VLM's projection. Not part of the library."""
