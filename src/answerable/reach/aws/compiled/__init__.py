"""Compile collected policies once, for fast evaluation. Start at `accounts`."""
