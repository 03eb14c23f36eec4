"""Benchmarks of the gateway over sockets and pipes."""
