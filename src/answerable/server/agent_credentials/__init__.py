"""Short-lived credentials for agents: issue, cache, renew and hand over."""
