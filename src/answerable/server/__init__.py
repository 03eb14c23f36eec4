"""Shared runtime of servers: sockets, HTTP, authentication, issuer keys, records."""
