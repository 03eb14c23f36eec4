"""Use cases of lineage: trace, search, investigate."""
