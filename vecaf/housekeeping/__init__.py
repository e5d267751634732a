"""Maintain a home: back it up, restore it, check it, repair it, and delete unused files."""
