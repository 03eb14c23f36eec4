"""One request in three values. Start at `judge`."""
