"""The benchmark: datasets × strategies × budgets × seeds, every cell a real run of the rounds.

`cells` says what is to be measured, `running` does what is missing in worker processes, `results`
keeps one file a cell, `summary` compares, `report` writes tables and plots.
"""
