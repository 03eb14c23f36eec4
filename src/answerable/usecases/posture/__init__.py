"""Use cases on findings."""
