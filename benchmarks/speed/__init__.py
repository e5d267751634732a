"""How near the studio is to what the hardware can do: `python -m benchmarks.speed --help`."""
