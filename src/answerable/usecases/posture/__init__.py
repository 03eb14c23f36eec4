"""Use cases on findings, and on differences of snapshots."""
