"""Launcher of `answerable run`: registers an agent's run before the agent starts."""
