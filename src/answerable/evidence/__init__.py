"""Encode and verify evidence: canonical bytes, hashes, proofs, checkpoints."""
