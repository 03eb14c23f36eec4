"""Signed statements in force: attestations, owner keys, baselines, policy exceptions."""
