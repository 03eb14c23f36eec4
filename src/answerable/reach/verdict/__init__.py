"""Evaluation of one request in three values. Start at `judge`."""
