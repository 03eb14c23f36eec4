"""Collector: scans and ingests the configured sources on their schedules.

It writes the store through the same use cases as `scan` and `ingest`. It decides, mints
and signs nothing.
"""
