"""A run: its plan, its preparation, its rounds, and its records."""
