"""Answer permission queries for several use cases."""
