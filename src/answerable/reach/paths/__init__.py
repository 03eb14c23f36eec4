"""Steps from one identity to the next, each explained. Start at `graph`."""
