"""Speed of the studio compared with baselines and lower bounds: `python -m benchmarks.speed`."""
