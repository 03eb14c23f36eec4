"""Authenticate callers by tokens, TLS and the kernel, for all servers."""
