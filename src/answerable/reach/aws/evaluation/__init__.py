"""Evaluate one request against IAM policies. Start at `evaluate_principal`."""
