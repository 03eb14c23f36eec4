"""AWS Organizations: accounts, their place in the tree, and its policies."""
