"""Endpoints: each parses one request, calls one use case, and builds one answer."""
