"""Benchmarks of pages and `/api/v1` over a large store."""
