"""The pages' names for values of the store."""

SPLITS = {"train": "train", "val": "validation", "test": "test"}
