"""Enforcement: policy, revocations, pins and signed statements in force."""
