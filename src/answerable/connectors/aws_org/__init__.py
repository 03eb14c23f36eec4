"""AWS Organizations connector: reads accounts, the unit tree and control policies."""
