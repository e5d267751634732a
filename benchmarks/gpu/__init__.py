"""Speed on a CUDA GPU compared with plain programs and the roofline: `python -m benchmarks.gpu`."""
