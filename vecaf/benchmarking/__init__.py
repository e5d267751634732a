"""Benchmarks: a grid of datasets, strategies, budgets and seeds, in which each cell is a run.

`cells` defines the grid, `running` measures the missing cells in worker processes, `results` caches
one file per cell, `summary` computes statistics, and `report` writes tables and plots.
"""
