"""Caller authentication by tokens, TLS and the kernel, shared by all servers."""
