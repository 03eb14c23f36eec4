"""Answers about policies as they would be: edits, their effect, and the smallest cuts."""
