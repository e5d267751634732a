"""Measurements for docs/scaling.md, each a program."""
