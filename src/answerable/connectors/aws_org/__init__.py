"""AWS Organizations: accounts, organisation tree and control policies."""
