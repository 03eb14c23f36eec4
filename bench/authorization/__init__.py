"""Benchmarks of authorization: policy tiers, reload, memory."""
