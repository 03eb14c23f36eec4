"""Shared server runtime: sockets, HTTP, caller authentication, issuer keys, records."""
