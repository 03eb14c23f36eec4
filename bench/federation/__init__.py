"""Benchmarks of the token service over HTTP on loopback."""
