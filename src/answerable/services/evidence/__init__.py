"""Ingest audit logs and build proofs for several use cases."""
