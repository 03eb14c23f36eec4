"""Compute effective permissions, transitive and explained. Start at `engine`."""
