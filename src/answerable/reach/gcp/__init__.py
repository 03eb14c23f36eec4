"""Evaluator of Google Cloud IAM."""
