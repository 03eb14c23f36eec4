"""Read signed statements in force: attestations, owner keys, baselines, exceptions."""
