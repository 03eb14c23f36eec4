"""Fetch and cache the keys of pinned token issuers, with limits."""
