"""Authorize the built-in tools of coding agents, which call a hook before each use."""
