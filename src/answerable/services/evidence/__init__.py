"""Ingestion and proofs shared by use cases."""
