"""HTTP endpoints: each parses one request, calls one use case, builds one response."""
