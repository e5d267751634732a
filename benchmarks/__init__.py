"""Programs that print the README's tables. Run them as modules: `python -m benchmarks.demo`."""
