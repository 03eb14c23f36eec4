"""Evidence: canonical bytes, hashes, proofs, checkpoints, and their verification."""
