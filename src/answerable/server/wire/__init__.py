"""Strict HTTP/1.1 parser: heads and bodies, or a refusal."""
