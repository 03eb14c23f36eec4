"""Join events with their chains and resolve names for several use cases."""
