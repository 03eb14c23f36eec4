"""Launch agents for `answerable run`: register the run before the agent starts."""
