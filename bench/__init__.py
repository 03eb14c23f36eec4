"""Measurements. `python -m bench` prints them and writes docs/benchmarks.md."""
