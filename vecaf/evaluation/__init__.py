"""Evaluation of models, comparison of runs, and quality checks on datasets."""
