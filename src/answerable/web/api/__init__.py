"""REST API `/api/v1`: serve the JSON documents of the CLI under the same names."""
