"""Recording of evidence: numbered, hash-chained records in group commits."""
