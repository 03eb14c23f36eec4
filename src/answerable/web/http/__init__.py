"""HTTP layer: check, authenticate and dispatch requests, and build responses."""
