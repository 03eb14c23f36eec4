"""Compute effective permissions, transitive and explained. Start at `queries`."""
