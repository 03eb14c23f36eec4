"""Pages and `/api/v1` over a large store."""
