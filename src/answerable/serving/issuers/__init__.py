"""Keys of the pinned issuers: fetched within bounds, and kept while they are good."""
