"""Findings and differences of snapshots: facts, severities and items."""
