"""Figures of docs/BENCHMARKS.md, measured: `make bench` runs them all, `python -m benchmarks NAME` one. Nothing here is a test; nothing asserts on time."""
