"""Near-duplicates, outliers and likely label errors in a dataset."""
