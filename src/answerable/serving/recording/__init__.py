"""Records on their way to disk: numbered, chained, in groups."""
