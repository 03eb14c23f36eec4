"""Use cases of reach: checks, permissions, exposure, what-if."""
