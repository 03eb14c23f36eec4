"""Evaluation of one request in three values. Start at `evaluate_principal`."""
