"""Measures the figures in docs/BENCHMARKS.md: `make bench` runs all, `python -m benchmarks NAME` one. These are not tests, and none asserts on time."""
