"""What the pages call things that the store has short names for."""

SPLITS = {"train": "pool", "val": "validation", "test": "test"}
