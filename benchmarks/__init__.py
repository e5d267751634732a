"""Programs that print the tables of benchmarks/README.md, such as `python -m benchmarks.demo`."""
