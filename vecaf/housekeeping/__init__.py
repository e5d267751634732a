"""Maintain a data folder: back it up, restore it, check it, repair it, and delete unused files."""
