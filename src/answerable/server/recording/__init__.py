"""Record evidence: numbered, hash-chained records, written in group commits."""
