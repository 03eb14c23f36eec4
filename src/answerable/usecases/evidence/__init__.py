"""Use cases of evidence: ingest, prove, verify, sign."""
