"""The pages' names for values of the store."""

SPLITS = {"train": "pool", "val": "validation", "test": "test"}
