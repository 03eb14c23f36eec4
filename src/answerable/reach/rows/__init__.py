"""What one principal may do, as rows of patterns. Start at `rows`."""
