"""Quality checks on a dataset: near-duplicates, outliers and likely label errors."""
