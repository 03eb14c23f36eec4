"""Keys of the pinned issuers: fetched with limits, and cached while they are valid."""
