"""HTTP server for enforcement points."""
